{
  virtualisation.libvirtd.enable = true;

  virtualisation.tsvdagentHost.enable = true;
  virtualisation.tsvdagentHost.usbRedirection = true;
}
