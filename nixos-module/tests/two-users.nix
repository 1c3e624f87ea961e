{ pkgs, ... }:
{
  name = "tsvdagent-two-users";

  nodes.machine = {
    imports = [ ./guest.nix ];
    users.users.bob = {
      isNormalUser = true;
      uid = 1001;
      password = "bob";
    };
    environment.systemPackages = [ pkgs.xclip ];
  };

  testScript = ''
    ${builtins.readFile ./agent_port.py}

    start_all()
    machine.wait_for_unit("tsvdagent.service", "alice")
    machine.wait_until_succeeds("tsvdagent status | grep -q 'of user 1000: on the screen'")
    port = AgentPort(machine.state_dir / "agent.sock")
    port.announce()

    with subtest("another user at a console takes the screen, and gets nothing of the first one's clipboard"):
        machine.send_key("ctrl-alt-f2")
        machine.wait_until_tty_matches("2", "login: ")
        machine.send_chars("bob\n")
        machine.wait_until_tty_matches("2", "Password: ")
        machine.send_chars("bob\n")
        machine.wait_until_succeeds("loginctl list-sessions | grep -q bob")
        machine.succeed("su - alice -c 'DISPLAY=:0 sh -c \"printf secret | xclip -selection clipboard\"' >&2 &")
        assert port.is_silent(3)

    with subtest("another user sees nothing of the first one's session"):
        machine.fail("su - bob -c 'tsvdagent status' | grep -q 'user 1000'")

    with subtest("back on the first one's screen it goes on"):
        machine.send_key("ctrl-alt-f7")
        machine.wait_until_succeeds("tsvdagent status | grep -q 'of user 1000: on the screen'")
        assert port.paste() == "secret"
  '';
}
