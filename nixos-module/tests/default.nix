# Tests in virtual machines: they need nixpkgs, and KVM to be quick. Each speaks the agent's protocol over the port's other end, a
# unix socket: the test driver's QEMU has no SPICE.
{
  x11 = import ./x11.nix;
  two-users = import ./two-users.nix;
  webdav = import ./webdav.nix;
  no-port = import ./no-port.nix;
}
