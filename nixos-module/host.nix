# virtualisation.tsvdagentHost: the machine that virtual machines run on, or that looks at them. Nothing of tsvdagent runs here.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.virtualisation.tsvdagentHost;
in
{
  options.virtualisation.tsvdagentHost = {
    enable = lib.mkEnableOption "what it takes to look at guests through SPICE";

    viewers = lib.mkOption {
      type = lib.types.listOf lib.types.package;
      default = [ pkgs.virt-viewer ];
      defaultText = lib.literalExpression "[ pkgs.virt-viewer ]";
      description = "Viewers to install.";
    };

    usbRedirection = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Let every user of this machine hand its USB devices to a guest.";
    };

    openPorts = lib.mkOption {
      type = lib.types.listOf lib.types.port;
      default = [ ];
      example = [ 5930 ];
      description = "SPICE ports that are to be reached from other machines. Without a ticket or TLS, whoever reaches one has the guest.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = cfg.viewers;
    virtualisation.spiceUSBRedirection.enable = cfg.usbRedirection;
    networking.firewall.allowedTCPPorts = cfg.openPorts;
  };
}
