{
  name = "tsvdagent-no-port";

  nodes.machine = {
    imports = [ ../default.nix ];
    services.tsvdagent.enable = true;
    users.users.alice = {
      isNormalUser = true;
      password = "alice";
    };
  };

  testScript = ''
    start_all()
    machine.wait_for_unit("multi-user.target")
    machine.succeed("loginctl enable-linger alice")
    machine.wait_for_unit("default.target", "alice")

    with subtest("nothing runs, nothing failed, and nobody says a word"):
        machine.fail("systemctl is-active tsvdagentd.service")
        machine.fail("pgrep -f tsvdagent")
        assert "tsvdagent" not in machine.succeed("systemctl --failed --no-legend")
        machine.succeed("test -z \"$(journalctl --boot --quiet --output=cat --identifier=tsvdagentd)\"")
  '';
}
