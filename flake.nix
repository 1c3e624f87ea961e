{
  description = "SPICE guest agent for Linux";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      forAll = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ];
      pkgsFor = system: nixpkgs.legacyPackages.${system};
    in
    {
      packages = forAll (system: {
        tsvdagent = (pkgsFor system).callPackage ./nixos-module/package.nix { };
        default = self.packages.${system}.tsvdagent;
      });

      overlays.default = final: _previous: { tsvdagent = final.callPackage ./nixos-module/package.nix { }; };

      nixosModules = {
        default = import ./nixos-module/default.nix;
        host = import ./nixos-module/host.nix;
        qemu-vm = import ./nixos-module/qemu-vm.nix;
      };

      checks = forAll (
        system:
        {
          package = self.packages.${system}.tsvdagent;
        }
        // lib.mapAttrs (_name: test: (pkgsFor system).testers.runNixOSTest test) (import ./nixos-module/tests)
      );

      devShells = forAll (system: {
        default = (pkgsFor system).mkShell {
          packages = with (pkgsFor system); [
            nodejs_24
            nixfmt-tree
            statix
            deadnix
          ];
        };
      });

      formatter = forAll (system: (pkgsFor system).nixfmt-tree);
    };
}
