# What the modules make of configurations: `accepted` all at once, `refused` one by one, since an error is all there is of each.
let
  lib = import ./lib.nix;
  pkgs = import ./pkgs.nix { inherit lib; };
  evaluated =
    module:
    let
      system = lib.evalModules {
        modules = [
          ./nixos.nix
          ../../default.nix
          ../../host.nix
          ../../qemu-vm.nix
          module
        ];
        specialArgs = { inherit pkgs; };
      };
      cfg = system.config.services.tsvdagent;
    in
    system.config.result
    // {
      inherit (cfg) settings;
      script = (system.config.environment.etc."tsvdagent/config.toml" or { source = { }; }).source.script or null;
      # All of it, so that a wrong value which nobody reads is found, too.
      options = removeAttrs cfg [ "package" ];
      host = removeAttrs system.config.virtualisation.tsvdagentHost [ "viewers" ];
      vm = system.config.virtualisation.tsvdagentVm;
    };
  configurations = import ./configurations.nix { inherit lib; };
in
{
  accepted = builtins.mapAttrs (_name: evaluated) configurations.accepted;
  refused = builtins.mapAttrs (_name: evaluated) configurations.refused;

  # Name, type, default and description of every option of the guest that is not the module's own.
  options =
    let
      keys = lib.importJSON ../../options.json;
      system = lib.evalModules {
        modules = [
          ./nixos.nix
          ../../default.nix
        ];
        specialArgs = { inherit pkgs; };
      };
      leaves =
        node:
        if node._type or "" == "option" then
          [
            {
              inherit (node) path default description;
              type = node.type.name;
            }
          ]
        else
          lib.concatMap (name: leaves node.${name}) (lib.attrNames node);
    in
    builtins.deepSeq keys (
      lib.concatMap leaves (
        map (name: system.options.services.tsvdagent.${name}) (
          lib.filter (
            name:
            !(lib.elem name [
              "enable"
              "package"
              "session"
              "settings"
            ])
          ) (lib.attrNames system.options.services.tsvdagent)
        )
      )
    );

  # The programs of the tests that need NixOS' own driver, and what their guests are asked for.
  tests = builtins.mapAttrs (
    _name: test:
    let
      given = if builtins.isFunction test then test { inherit lib pkgs; } else test;
    in
    {
      inherit (given) name testScript;
      nodes = lib.attrNames given.nodes;
    }
  ) (import ../default.nix);

  package =
    let
      package = pkgs.callPackage ../../package.nix { };
    in
    {
      inherit (package) name meta buildPhase installPhase;
      dependencies = { inherit (package.dependencies) outputHash outputHashMode installPhase; };
    };
}
