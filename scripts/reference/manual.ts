// The manual: tsvdagent(1) from the table of commands, tsvdagent.toml(5) from the configuration's keys.
import { commands, type Option } from "../../src/programs/command-line.ts";
import { allowed, defaultOf, describedKeys, userMay } from "./keys.ts";

/** Text for roff: no backslash, hyphen or leading dot of ours means anything. */
function plain(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replaceAll("'", "\\(aq")
    .replace(/^\./, "\\&.");
}

function page(name: string, section: number, version: string, about: string, parts: readonly string[]): string {
  return [
    `.TH ${name.toUpperCase()} ${section} "" "tsvdagent ${version}"`,
    // What is to be typed is not to be broken.
    ".nh",
    ".SH NAME",
    `${plain(name)} \\- ${plain(about)}`,
    ...parts,
    "",
  ].join("\n");
}

function section(title: string, ...lines: readonly string[]): string {
  return [`.SH ${title}`, ...lines].join("\n");
}

function entry(head: string, ...lines: readonly string[]): string {
  return [".TP", head, ...lines].join("\n");
}

function optionHead(name: string, { value }: Option): string {
  return `.BR \\-\\-${plain(name)}${value === undefined ? "" : ` " \\fI${plain(value)}\\fR"`}`;
}

export function commandPage(version: string): string {
  const all = Object.entries(commands);
  const sections = all.map(([name, { about, options }]) =>
    [
      `.SS ${plain(name)}`,
      `${plain(sentence(about))}`,
      ...Object.entries<Option>(options)
        .filter(([option]) => option !== "help" && option !== "version")
        .map(([option, of]) => entry(optionHead(option, of), plain(sentence(of.about)))),
    ].join("\n"),
  );
  return page("tsvdagent", 1, version, "the guest's side of SPICE", [
    section(
      "SYNOPSIS",
      ...all
        .flatMap(([name, command]) => {
          const operands = "operands" in command ? `"...] " ${plain(command.operands)}` : "...]";
          return [`.B tsvdagent ${plain(name)}`, `.RI [ option ${operands}`, ".br"];
        })
        .slice(0, -1),
    ),
    section(
      "DESCRIPTION",
      plain("Makes a Linux guest comfortable that is looked at through SPICE, or through QEMU's own agent end."),
      plain("Everything stays in the foreground and logs to stderr."),
      plain("SIGTERM and SIGINT end it, SIGHUP makes it read its configuration again."),
    ),
    section("COMMANDS", "Each also knows", ".B \\-\\-help", "and", ".BR \\-\\-version .", ...sections),
    section(
      "EXIT STATUS",
      entry(".B 0", "Done, or stopped by a signal."),
      entry(".B 1", "Failed at run time."),
      entry(".B 2", "Wrong command line or configuration."),
    ),
    section(
      "FILES",
      entry(".I /etc/tsvdagent/config.toml", "The configuration."),
      entry(".I \\(ti/.config/tsvdagent/config.toml", "A user\\(aqs own, which may only take away."),
      entry(".I /run/tsvdagent/session.sock", "Where the two halves meet."),
      entry(".I /run/tsvdagent/control.sock", "Where people ask."),
    ),
    section("SEE ALSO", ".BR tsvdagent.toml (5),", ".BR systemctl (1)"),
  ]);
}

export function configPage(version: string): string {
  const tables = [...new Set(describedKeys.map(({ table }) => table))].map((table) =>
    [
      `.SS [${plain(table)}]`,
      ...describedKeys
        .filter((described) => described.table === table)
        .map(({ name, key }) =>
          entry(
            `.BR ${plain(name)} " = ${plain(defaultOf(key)).replaceAll('"', '""')}"`,
            plain(sentence(key.about)),
            ".br",
            plain(sentence(`Allowed: ${allowed(key)}`)),
            ...(userMay(key) === undefined ? [] : [plain(userMay(key) ?? "")]),
          ),
        ),
    ].join("\n"),
  );
  return page("tsvdagent.toml", 5, version, "configuration of tsvdagent", [
    section(
      "DESCRIPTION",
      ".I /etc/tsvdagent/config.toml",
      "is read by the daemon and by every session.",
      "Every key may be left out: what is shown here is what holds then.",
      "A user\\(aqs own",
      ".I \\(ti/.config/tsvdagent/config.toml",
      "may say what is noted at a key, and nothing else.",
      ".PP",
      ".B tsvdagent daemon \\-\\-check\\-config",
      "tells a fault by file, line, key, value and what is allowed;",
      ".B systemctl reload tsvdagentd",
      "has the file read again.",
    ),
    section("KEYS", ...tables),
    section("SEE ALSO", ".BR tsvdagent (1)"),
  ]);
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}
