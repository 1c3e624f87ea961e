{ pkgs, ... }:
{
  name = "tsvdagent-x11";

  nodes.machine = {
    imports = [ ./guest.nix ];
    environment.systemPackages = [
      pkgs.xclip
      pkgs.xorg.xrandr
    ];
  };

  testScript = ''
    ${builtins.readFile ./agent_port.py}

    def in_session(command):
        return f"su - alice -c 'DISPLAY=:0 {command}'"

    start_all()
    machine.wait_for_unit("tsvdagentd.service")
    machine.wait_for_unit("tsvdagent.service", "alice")
    machine.wait_until_succeeds("tsvdagent status | grep -q 'display: randr'")
    port = AgentPort(machine.state_dir / "agent.sock")

    with subtest("the guest says what it can do"):
        assert port.announce() & 0x22 == 0x22

    with subtest("the screen follows the viewer"):
        port.resize(1024, 768)
        machine.wait_until_succeeds(in_session("xrandr --current | grep -q \"current 1024 x 768\""))

    with subtest("the viewer's text is pasted in the guest"):
        port.grab()
        machine.wait_until_succeeds(in_session("xclip -o -selection clipboard -t TARGETS") + " | grep -q UTF8_STRING")
        machine.execute(in_session("xclip -o -selection clipboard > /tmp/pasted") + " >&2 &")
        port.serve("from the viewer: ž漢😀")
        machine.wait_until_succeeds("grep -q 'from the viewer: ž漢😀' /tmp/pasted")

    with subtest("the guest's text is pasted in the viewer"):
        machine.succeed(in_session("sh -c \"printf from-the-guest | xclip -selection clipboard\"") + " >&2 &")
        assert port.paste() == "from-the-guest"

    with subtest("a daemon that is killed comes back, and so do its sessions"):
        machine.succeed("systemctl kill --signal=KILL tsvdagentd.service")
        machine.wait_until_succeeds("tsvdagent status | grep -q 'display: randr'")
        assert port.announce() & 0x22 == 0x22
        port.resize(1280, 800)
        machine.wait_until_succeeds(in_session("xrandr --current | grep -q \"current 1280 x 800\""))

    with subtest("a wrong configuration would not have been built"):
        machine.succeed("tsvdagent daemon --check-config")
        machine.fail("tsvdagent daemon --check-config --config /etc/os-release")
  '';
}
