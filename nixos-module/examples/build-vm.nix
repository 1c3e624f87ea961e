# To be written under virtualisation.vmVariant.
{
  virtualisation.tsvdagentVm.enable = true;
  virtualisation.tsvdagentVm.video = "qxl";
}
