# Configurations as people write them.
{ lib }:
{
  accepted = {
    off = { };

    default = {
      services.tsvdagent.enable = true;
    };

    # What README.md shows: the guest and the host of the document this project began with.
    guest = import ../../examples/guest.nix;
    host = import ../../examples/host.nix;
    vm = import ../../examples/build-vm.nix;

    replacing = {
      imports = [
        {
          services.spice-vdagentd.enable = true;
          services.spice-autorandr.enable = true;
          services.spice-webdavd.enable = true;
        }
      ];
      services.tsvdagent.enable = true;
      services.spice-vdagentd.enable = lib.mkForce false;
      services.spice-autorandr.enable = lib.mkForce false;
      services.spice-webdavd.enable = lib.mkForce false;
    };

    # Refused by an assertion, which NixOS tells; there is a result all the same.
    conflicts = {
      services.tsvdagent.enable = true;
      services.spice-vdagentd.enable = true;
      services.spice-autorandr.enable = true;
      services.spice-webdavd.enable = true;
    };

    withoutMount = {
      services.tsvdagent.enable = true;
      services.tsvdagent.sharedFolder.mount = false;
    };

    withoutFolder = {
      services.tsvdagent.enable = true;
      services.tsvdagent.sharedFolder.enable = false;
    };

    announced = {
      services.tsvdagent.enable = true;
      services.tsvdagent.sharedFolder.announce = true;
    };

    withoutPointer = {
      services.tsvdagent.enable = true;
      services.tsvdagent.pointer.device = "none";
    };

    bySettings = {
      services.tsvdagent.enable = true;
      services.tsvdagent.settings.clipboard.primary = false;
      services.tsvdagent.settings.shared-folder.mount = false;
    };

    said = {
      services.tsvdagent = {
        enable = true;
        log.level = "debug";
        clipboard.types = [ "text" ];
        clipboard.maxHostToGuestMib = 16;
        clipboard.direction = lib.mkDefault "host-to-guest";
        session.targets = [ "sway-session.target" ];
      };
    };

    ownPort = {
      services.tsvdagent.enable = true;
      services.tsvdagent.port.path = "/dev/ttyS1";
    };

    openHost = {
      virtualisation.tsvdagentHost = {
        enable = true;
        openPorts = [ 5930 ];
        usbRedirection = true;
      };
    };

    qxl = {
      virtualisation.tsvdagentVm = {
        enable = true;
        video = "qxl";
        heads = 2;
        guestsFolder = "/tmp/share.sock";
        spice.address = "0.0.0.0";
        spice.ticketFile = "/run/secrets/spice";
        sound.device = "virtio-sound";
        sound.backend = "pipewire";
      };
    };

    openVm = {
      virtualisation.tsvdagentVm.enable = true;
      virtualisation.tsvdagentVm.spice.address = "0.0.0.0";
    };
  };

  refused = {
    misspelt = {
      services.tsvdagent.enable = true;
      services.tsvdagent.clipbord.enable = true;
    };
    wrongType = {
      services.tsvdagent.enable = "yes";
    };
    notAChoice = {
      services.tsvdagent.enable = true;
      services.tsvdagent.clipboard.direction = "in";
    };
    tooLarge = {
      services.tsvdagent.enable = true;
      services.tsvdagent.clipboard.maxHostToGuestMib = 2000;
    };
    twice = {
      services.tsvdagent.enable = true;
      services.tsvdagent.clipboard.primary = true;
      services.tsvdagent.settings.clipboard.primary = false;
    };
    targetWithoutSuffix = {
      services.tsvdagent.enable = true;
      services.tsvdagent.session.targets = [ "graphical-session" ];
    };
    port = {
      virtualisation.tsvdagentHost.enable = true;
      virtualisation.tsvdagentHost.openPorts = [ 70000 ];
    };
    video = {
      virtualisation.tsvdagentVm.enable = true;
      virtualisation.tsvdagentVm.video = "cirrus";
    };
  };
}
