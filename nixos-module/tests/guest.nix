# A guest with the ports, whose other ends are sockets in the folder that the driver runs it in.
{
  imports = [ ../default.nix ];

  services.tsvdagent.enable = true;
  services.xserver.enable = true;
  services.xserver.displayManager.lightdm.enable = true;
  services.xserver.windowManager.icewm.enable = true;
  services.displayManager.defaultSession = "none+icewm";
  services.displayManager.autoLogin.enable = true;
  services.displayManager.autoLogin.user = "alice";

  users.users.alice = {
    isNormalUser = true;
    uid = 1000;
    password = "alice";
  };

  virtualisation.qemu.options = [
    "-vga none"
    "-device virtio-vga,max_outputs=2"
    "-device virtio-serial-pci,id=tsvdagent"
    "-chardev socket,id=agent,path=agent.sock,server=on,wait=off"
    "-device virtserialport,bus=tsvdagent.0,chardev=agent,name=com.redhat.spice.0"
    "-chardev socket,id=webdav,path=webdav.sock,server=on,wait=off"
    "-device virtserialport,bus=tsvdagent.0,chardev=webdav,name=org.spice-space.webdav.0"
  ];
}
