# services.tsvdagent: the guest. Units and rules are those of packaging/systemd, with store paths put in; the options are those of
# the program (options.json, made from its schema by `npm run generate`) and are written into its one configuration.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  cfg = config.services.tsvdagent;
  keys = lib.importJSON ./options.json;
  toml = pkgs.formats.toml { };
  source = ../packaging/systemd;

  # What is asked here is what the program will read, whether an option or `settings` says it.
  folder = cfg.settings.shared-folder;
  port = cfg.settings.port.path;
  pointer = cfg.settings.pointer.device;
  isOwnPort = port != "/dev/virtio-ports/com.redhat.spice.0";
  isMounted = folder.enabled && folder.mount;
  isAnnounced = folder.enabled && folder.announce;

  typeOf =
    key:
    {
      boolean = lib.types.bool;
      text = lib.types.str;
      choice = lib.types.enum key.choices;
      integer = lib.types.ints.between key.min key.max;
      list = lib.types.listOf (if key ? choices then lib.types.enum key.choices else lib.types.str);
    }
    .${key.kind};

  # One attribute set from many, each with one leaf.
  treeOf = lib.foldl' lib.recursiveUpdate { };

  optionOf =
    key:
    lib.setAttrByPath key.option (
      lib.mkOption {
        type = typeOf key;
        inherit (key) default;
        description = key.about;
      }
    );

  # With the priority that the option has: what `settings` says stands over a default, and beside another value is a conflict.
  settingOf =
    key:
    lib.setAttrByPath [ key.table key.key ] (
      lib.mkOverride (lib.getAttrFromPath key.option options.services.tsvdagent).highestPrio (
        lib.getAttrFromPath key.option cfg
      )
    );

  # What is to be replaced must be there: else a line that has changed in packaging/ would be left as it is, in silence.
  edited =
    edits: text:
    lib.foldl' (
      result: edit:
      if lib.hasInfix edit.from result then
        builtins.replaceStrings [ edit.from ] [ edit.to ] result
      else
        throw "services.tsvdagent: no line `${edit.from}' in packaging/systemd"
    ) text edits;

  without = line: {
    from = "${line}\n";
    to = "";
  };

  program = {
    from = "@tsvdagent@";
    to = lib.getExe cfg.package;
  };

  isUnit = name: lib.hasSuffix ".service" name || lib.hasSuffix ".socket" name;
  isOfMount = name: lib.hasPrefix "tsvdagentd-mount" name;
  units = lib.filter (name: isUnit name && (isMounted || !isOfMount name)) (lib.attrNames (builtins.readDir source));
  isOfSystem = lib.hasPrefix "tsvdagentd";

  editsOf =
    name:
    lib.optional (lib.hasSuffix ".service" name) program
    ++ lib.optionals (name == "tsvdagentd.service") (
      lib.optionals (!isMounted) [
        (without "Wants=tsvdagentd-mount.socket")
        (without "After=tsvdagentd-mount.socket")
      ]
      ++ lib.optional (pointer != "/dev/uinput") (without "DeviceAllow=/dev/uinput rw")
    );

  unitPackage =
    name:
    pkgs.writeTextDir "lib/systemd/${if isOfSystem name then "system" else "user"}/${name}" (
      edited (editsOf name) (builtins.readFile (source + "/${name}"))
    );

  # Of a device of one's own: the daemon has no rights but those of its group.
  ruleOfPort =
    if lib.hasPrefix "/dev/virtio-ports/" port then
      ''SUBSYSTEM=="virtio-ports", ATTR{name}=="${baseNameOf port}", GROUP="tsvdagent", MODE="0660"''
    else
      ''KERNEL=="${lib.removePrefix "/dev/" port}", GROUP="tsvdagent", MODE="0660"'';

  rules = pkgs.writeTextDir "lib/udev/rules.d/71-tsvdagent.rules" (
    # The device of the pointer has its rule from hardware.uinput.
    edited [
      (without ''SUBSYSTEM=="misc", KERNEL=="uinput", GROUP="uinput", MODE="0660", OPTIONS+="static_node=uinput"'')
    ] (builtins.readFile (source + "/71-tsvdagent.rules"))
    + lib.optionalString (isOwnPort && lib.hasPrefix "/dev/" port) "${ruleOfPort}\n"
  );

  # What stands under [Install], which NixOS does not read.
  sessionUnit = lib.splitString "\n" (builtins.readFile (source + "/tsvdagent.service"));
  valuesIn =
    name: lines:
    let
      found = lib.filter (lib.hasPrefix "${name}=") lines;
    in
    if found != [ ] then
      map (lib.removePrefix "${name}=") found
    else
      throw "services.tsvdagent: no line `${name}=' in packaging/systemd/tsvdagent.service";
  valueIn = name: lines: lib.concatStringsSep " " (valuesIn name lines);

  written = toml.generate "tsvdagent-settings.toml" cfg.settings;
  configFile = pkgs.runCommand "tsvdagent.toml" { nativeBuildInputs = [ cfg.package ]; } ''
    tsvdagent daemon --check-config --config ${written}
    cp ${written} $out
  '';

  replaced = [
    "spice-vdagentd"
    "spice-autorandr"
    "spice-webdavd"
  ];
in
{
  options.services.tsvdagent = lib.recursiveUpdate (treeOf (map optionOf keys)) {
    enable = lib.mkEnableOption "tsvdagent, the guest's side of SPICE";

    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.tsvdagent or (pkgs.callPackage ./package.nix { });
      defaultText = lib.literalExpression "pkgs.tsvdagent";
      description = "The package whose program is run.";
    };

    settings = lib.mkOption {
      inherit (toml) type;
      default = { };
      description = "What goes into `/etc/tsvdagent/config.toml`, by the names of `tsvdagent.toml(5)`; the options beside write into it.";
    };

    session.targets = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = lib.splitString " " (valueIn "WantedBy" sessionUnit);
      defaultText = lib.literalExpression ''[ "graphical-session.target" "default.target" ]'';
      description = "The user's targets that start the desktop's half; it waits until there is a desktop.";
    };
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        services.tsvdagent.settings = treeOf (map settingOf keys);

        assertions = map (name: {
          assertion = !config.services.${name}.enable;
          message =
            "services.tsvdagent does the work of services.${name}, and only one of them can have the port. "
            + "Take that one away, or, where another module sets it, write: services.${name}.enable = lib.mkForce false;";
        }) replaced;

        environment.etc."tsvdagent/config.toml".source = configFile;
        environment.systemPackages = [ cfg.package ];

        users.users.tsvdagent = {
          isSystemUser = true;
          group = "tsvdagent";
          description = "SPICE guest agent";
          extraGroups = lib.optional (pointer == "/dev/uinput") "uinput";
        };
        users.groups.tsvdagent = { };

        services.udev.packages = [ rules ];
        systemd.packages = map unitPackage units;
        systemd.services.tsvdagentd.reloadTriggers = [ configFile ];
        systemd.user.services.tsvdagent.wantedBy = cfg.session.targets;

        # Ports that were there before the rules: what `nixos-rebuild switch` finds. Their event comes once more.
        systemd.services.tsvdagentd-ports = {
          description = "SPICE guest agent, ports that were there before it";
          wantedBy = [ "multi-user.target" ];
          after = [ "systemd-udevd.service" ];
          unitConfig.ConditionPathExistsGlob = valueIn "ConditionPathExistsGlob" sessionUnit;
          restartTriggers = [ rules ];
          serviceConfig = {
            Type = "oneshot";
            RemainAfterExit = true;
            ExecStart = [
              "${config.systemd.package}/bin/udevadm control --reload"
              "${config.systemd.package}/bin/udevadm trigger --action=add --settle --subsystem-match=virtio-ports"
              "${config.systemd.package}/bin/udevadm trigger --action=add --settle --subsystem-match=misc --sysname-match=uinput"
            ];
            TimeoutStartSec = 60;
          };
        };
      }

      (lib.mkIf (pointer == "/dev/uinput") { hardware.uinput.enable = true; })

      (lib.mkIf isMounted { services.davfs2.enable = true; })

      (lib.mkIf isAnnounced {
        services.avahi.enable = true;
        services.avahi.publish.enable = true;
        services.avahi.publish.userServices = true;
      })

      # A port that udev does not know.
      (lib.mkIf isOwnPort {
        systemd.services.tsvdagentd.wantedBy = [ "multi-user.target" ];
        systemd.services.tsvdagentd.serviceConfig = lib.mkIf (lib.hasPrefix "/dev/" port) { DeviceAllow = [ "${port} rw" ]; };
        # An empty line takes back all conditions, of every kind: those on users are said again.
        systemd.user.services.tsvdagent.unitConfig = {
          ConditionPathExistsGlob = "";
          ConditionUser = valuesIn "ConditionUser" sessionUnit;
        };
      })
    ]
  );
}
