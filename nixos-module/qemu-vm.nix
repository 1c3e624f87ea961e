# virtualisation.tsvdagentVm: the options of QEMU for `nixos-rebuild build-vm`. To be imported in `virtualisation.vmVariant`,
# where virtualisation.qemu.options is.
{ config, lib, ... }:
let
  cfg = config.virtualisation.tsvdagentVm;
  isLoopback = cfg.spice.address == "localhost" || cfg.spice.address == "::1" || lib.hasPrefix "127." cfg.spice.address;

  port = id: name: chardev: [
    "-chardev ${chardev},id=${id}"
    "-device virtserialport,bus=tsvdagent.0,chardev=${id},name=${name}"
  ];

  memory = lib.concatMapStrings (name: ",${name}=${toString cfg.qxl.${name}}") [
    "ram_size_mb"
    "vram_size_mb"
    "vgamem_mb"
  ];

  video =
    {
      # One device has several heads on Linux; `max_outputs` is what it may have.
      qxl = [ "-vga none" "-device qxl-vga${memory},max_outputs=${toString cfg.heads}" ];
      virtio = [ "-vga none" "-device virtio-vga,max_outputs=${toString cfg.heads}" ];
      none = [ ];
    }
    .${cfg.video};

  ticket =
    if cfg.spice.ticketFile == null then
      [ "-spice addr=${cfg.spice.address},port=${toString cfg.spice.port},disable-ticketing=on" ]
    else
      [
        "-object secret,id=tsvdagent-ticket,file=${cfg.spice.ticketFile}"
        "-spice addr=${cfg.spice.address},port=${toString cfg.spice.port},password-secret=tsvdagent-ticket"
      ];

  sound =
    let
      backend = "-audiodev ${cfg.sound.backend},id=tsvdagent-sound";
    in
    {
      intel-hda = [ backend "-device intel-hda" "-device hda-duplex,audiodev=tsvdagent-sound" ];
      virtio-sound = [ backend "-device virtio-sound-pci,audiodev=tsvdagent-sound" ];
      none = [ ];
    }
    .${cfg.sound.device};
in
{
  options.virtualisation.tsvdagentVm = {
    enable = lib.mkEnableOption "SPICE and the ports of tsvdagent in the virtual machine of `build-vm`";

    spice.address = lib.mkOption {
      type = lib.types.str;
      default = "127.0.0.1";
      description = "Address of the host on which QEMU listens.";
    };
    spice.port = lib.mkOption {
      type = lib.types.port;
      default = 5930;
      description = "Port of the host on which QEMU listens.";
    };
    spice.ticketFile = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      description = "File of the host with the password that a viewer must know. Needed where the address is not this machine's loopback.";
    };

    video = lib.mkOption {
      type = lib.types.enum [ "virtio" "qxl" "none" ];
      default = "virtio";
      description = "Graphics device; `none` adds none. qxl has a driver for Xorg only.";
    };
    heads = lib.mkOption {
      type = lib.types.ints.between 1 16;
      default = 1;
      description = "The most displays that a viewer can open.";
    };
    qxl.ram_size_mb = lib.mkOption {
      type = lib.types.ints.between 16 1024;
      default = 128;
      description = "Memory for commands and images, in MiB.";
    };
    qxl.vram_size_mb = lib.mkOption {
      type = lib.types.ints.between 16 1024;
      default = 64;
      description = "Memory for surfaces, in MiB.";
    };
    qxl.vgamem_mb = lib.mkOption {
      type = lib.types.ints.between 16 512;
      default = 64;
      description = "Memory for what the screen shows, in MiB: 4 bytes a pixel, of all heads.";
    };

    sound.device = lib.mkOption {
      type = lib.types.enum [ "intel-hda" "virtio-sound" "none" ];
      default = "intel-hda";
      description = "Sound device; `virtio-sound` needs QEMU 8.2.";
    };
    sound.backend = lib.mkOption {
      type = lib.types.enum [ "spice" "pipewire" "alsa" "pa" "none" ];
      default = "spice";
      description = "Where it is heard: in the viewer, or on the host.";
    };

    viewersFolder = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "The port for the folder that the viewer shares.";
    };
    guestsFolder = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "./share.sock";
      description = "Unix socket of the host at which `tsvdagent share-proxy` finds the folder that the guest shares; none without.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = isLoopback || cfg.spice.ticketFile != null;
        message = "virtualisation.tsvdagentVm.spice.address is ${cfg.spice.address}: whoever reaches it would have the guest. Set spice.ticketFile.";
      }
    ];
    virtualisation.qemu.options =
      video
      ++ ticket
      ++ [ "-device virtio-serial-pci,id=tsvdagent" ]
      ++ port "tsvdagent-agent" "com.redhat.spice.0" "spicevmc,name=vdagent"
      ++ lib.optionals cfg.viewersFolder (
        port "tsvdagent-webdav" "org.spice-space.webdav.0" "spiceport,name=org.spice-space.webdav.0"
      )
      ++ lib.optionals (cfg.guestsFolder != null) (
        port "tsvdagent-share" "org.tsvdagent.share.0" "socket,path=${cfg.guestsFolder},server=on,wait=off"
      )
      ++ sound;
  };
}
