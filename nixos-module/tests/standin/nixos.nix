# A stand-in for NixOS: the options that our modules set or read, and the text it makes of units.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  flag = option types.bool false;
  list = type: option (types.listOf type) [ ];

  unitName = types.strMatching "[a-zA-Z0-9@%:_.\\-]+[.](service|socket|device|mount|automount|swap|target|path|timer|scope|slice)";
  primitive = types.oneOf [
    types.bool
    types.int
    types.str
    types.path
  ];
  # Lists are joined; anything else has one value.
  directive = types.oneOf [
    (types.listOf primitive)
    primitive
  ];

  dependencies = [
    "after"
    "before"
    "bindsTo"
    "conflicts"
    "partOf"
    "requires"
    "wants"
  ];

  unit = types.submodule {
    options =
      lib.genAttrs dependencies (_name: list unitName)
      // {
        enable = option types.bool true;
        description = option types.str "";
        wantedBy = list unitName;
        requiredBy = list unitName;
        restartTriggers = list types.raw;
        reloadTriggers = list types.raw;
        environment = option (types.attrsOf types.str) { };
        path = list types.package;
        unitConfig = option (types.attrsOf directive) { };
        serviceConfig = option (types.attrsOf directive) { };
      };
  };

  text =
    value:
    if value == true then
      "true"
    else if value == false then
      "false"
    else
      toString value;

  section =
    name: values:
    let
      lines = lib.concatMap (
        key: map (value: "${key}=${text value}\n") (if builtins.isList values.${key} then values.${key} else [ values.${key} ])
      ) (lib.attrNames values);
    in
    if lines == [ ] then "" else "[${name}]\n${lib.concatMapStrings (line: line) lines}\n";

  capital = name: lib.concatMapStrings (part: part) [ (upper (builtins.substring 0 1 name)) (builtins.substring 1 (-1) name) ];
  upper = letter: builtins.replaceStrings [ "a" "b" "c" "p" "r" "w" ] [ "A" "B" "C" "P" "R" "W" ] letter;

  # The PATH that NixOS gives to every unit it writes something of.
  defaultPath = map (package: "/run/current-system/path-of/${package}/bin") [
    "coreutils"
    "findutils"
    "gnugrep"
    "gnused"
    "systemd"
  ];

  rendered = unit: {
    inherit (unit) wantedBy requiredBy;
    text =
      section "Unit" (
        unit.unitConfig
        // (if unit.description == "" then { } else { Description = unit.description; })
        // builtins.listToAttrs (
          lib.concatMap (
            name:
            lib.optional (unit.${name} != [ ]) {
              name = capital name;
              value = lib.concatStringsSep " " unit.${name};
            }
          ) dependencies
        )
        // (if unit.restartTriggers == [ ] then { } else { X-Restart-Triggers = lib.concatStringsSep " " (map toString unit.restartTriggers); })
        // (if unit.reloadTriggers == [ ] then { } else { X-Reload-Triggers = lib.concatStringsSep " " (map toString unit.reloadTriggers); })
      )
      + section "Service" (
        {
          Environment = [ ''"PATH=${lib.concatStringsSep ":" (map (package: "${package}/bin") unit.path ++ defaultPath)}"'' ]
            ++ map (name: ''"${name}=${unit.environment.${name}}"'') (lib.attrNames unit.environment);
        }
        // unit.serviceConfig
      );
  };
in
{
  options = {
    assertions = list types.raw;
    warnings = list types.str;

    environment.systemPackages = list types.package;
    environment.etc = option (types.attrsOf (
      types.submodule {
        options.source = mkOption { type = types.path; };
        options.mode = option types.str "symlink";
      }
    )) { };

    hardware.uinput.enable = flag;

    networking.firewall.allowedTCPPorts = list types.port;

    services.avahi.enable = flag;
    services.avahi.publish.enable = flag;
    services.avahi.publish.userServices = flag;
    services.davfs2.enable = flag;
    services.spice-autorandr.enable = flag;
    services.spice-vdagentd.enable = flag;
    services.spice-webdavd.enable = flag;
    services.udev.packages = list types.package;
    services.xserver.enable = flag;
    services.xserver.videoDrivers = list types.str;
    services.qemuGuest.enable = flag;

    systemd.package = option types.package pkgs.systemd;
    systemd.packages = list types.package;
    systemd.services = option (types.attrsOf unit) { };
    systemd.user.services = option (types.attrsOf unit) { };

    users.users = option (types.attrsOf (
      types.submodule {
        options = {
          description = option types.str "";
          extraGroups = list types.str;
          group = option types.str "";
          isSystemUser = flag;
          isNormalUser = flag;
        };
      }
    )) { };
    users.groups = option (types.attrsOf (types.submodule { options.gid = option (types.nullOr types.int) null; })) { };

    virtualisation.libvirtd.enable = flag;
    virtualisation.spiceUSBRedirection.enable = flag;
    virtualisation.qemu.options = list types.str;

    result = mkOption { type = types.raw; };
  };

  config.result = {
    failed = map (one: one.message) (lib.filter (one: !one.assertion) config.assertions);
    etc = builtins.mapAttrs (_name: entry: entry.source.content or entry.source.nativeBuildInputs or null) config.environment.etc;
    packages = map (package: package.name) config.environment.systemPackages;
    provided = map (package: { inherit (package) path text; }) (config.systemd.packages ++ config.services.udev.packages);
    system = builtins.mapAttrs (_name: rendered) config.systemd.services;
    user = builtins.mapAttrs (_name: rendered) config.systemd.user.services;
    users = config.users.users;
    groups = lib.attrNames config.users.groups;
    avahi = with config.services.avahi; enable && publish.enable && publish.userServices;
    davfs2 = config.services.davfs2.enable;
    uinput = config.hardware.uinput.enable;
    usbRedirection = config.virtualisation.spiceUSBRedirection.enable;
    ports = config.networking.firewall.allowedTCPPorts;
    qemu = config.virtualisation.qemu.options;
  };
}
