# A stand-in for nixpkgs' packages: those that are used here, by name, and what makes more of them.
{ lib }:
let
  package = name: attributes: attributes // {
    type = "derivation";
    inherit name;
    outPath = "/nix/store/00000000000000000000000000000000-${name}";
    meta = { mainProgram = name; } // attributes.meta or { };
  };

  known = lib.genAttrs [
    "alsa-utils"
    "cacert"
    "coreutils"
    "curl"
    "deadnix"
    "getent"
    "installShellFiles"
    "makeWrapper"
    "nixfmt-tree"
    "nodejs_24"
    "pulseaudio"
    "statix"
    "systemd"
    "virt-viewer"
    "wireplumber"
    "xclip"
    "xdg-utils"
  ] (name: package (if name == "nodejs_24" then "node" else name) { });

  # mkDerivation { } or mkDerivation (finalAttrs: { }); every attribute is looked at.
  mkDerivation =
    given:
    let
      attributes = if builtins.isFunction given then given final else given;
      final = attributes // {
        passthru = attributes.passthru or { };
      };
      required = attributes.pname + attributes.version;
    in
    builtins.deepSeq [ (removeAttrs attributes [ "passthru" ]) required ] (
      package "${attributes.pname}-${attributes.version}" (attributes // (attributes.passthru or { }))
    );

  stdenv = {
    inherit mkDerivation;
    hostPlatform.system = "x86_64-linux";
  };

  value = lib.types.oneOf [
    lib.types.bool
    lib.types.int
    lib.types.str
    (lib.types.listOf value)
    (lib.types.attrsOf value)
  ];

  pkgs = known // {
    inherit lib stdenv;
    xorg.xrandr = package "xrandr" { };
    stdenvNoCC = stdenv;
    callPackage =
      file: more:
      let
        function = import file;
        given = builtins.mapAttrs (
          name: _:
          more.${name} or pkgs.${name} or (throw "callPackage: there is no package ${name}")
        ) (builtins.functionArgs function);
      in
      function given;
    writeTextDir = path: text: package (baseNameOf path) { inherit path text; };
    runCommand = name: attributes: script: package name (attributes // { inherit script; });
    mkShell = attributes: builtins.deepSeq attributes.packages (package "shell" attributes);
    formats.toml = { }: {
      type = lib.types.attrsOf value;
      generate = name: content: package name { inherit content; };
    };
    testers.runNixOSTest =
      given:
      let
        test = if builtins.isFunction given then given { inherit lib pkgs; } else given;
      in
      builtins.deepSeq [ test.name (builtins.attrNames test.nodes) (test.testScript or "") ] (
        package "vm-test-${test.name}" { inherit test; }
      );
  };
in
pkgs
