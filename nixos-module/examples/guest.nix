{
  services.xserver.enable = true;
  services.xserver.videoDrivers = [ "qxl" ];
  services.qemuGuest.enable = true;

  services.tsvdagent.enable = true;
}
