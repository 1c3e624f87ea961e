// What shells offer while a command line is typed, from the table of commands.
import { commands, type Option } from "../../src/programs/command-line.ts";
import { logLevels } from "../../src/support/log.ts";

const all = Object.entries(commands).map(([name, { about, options, ...rest }]) => ({
  name,
  about,
  /** Whether files may stand among its options. */
  takesFiles: "operands" in rest,
  options: Object.entries<Option>(options).map(([option, of]) => ({ name: option, ...of })),
}));

const takingFiles = all.filter(({ takesFiles }) => takesFiles).map(({ name }) => name);

/** What may stand after an option. */
type Value = "nothing" | "file" | "folder" | "level" | "text";

function kindOf({ value }: Option): Value {
  if (value === undefined) return "nothing";
  if (value === "LEVEL") return "level";
  if (value === "DIR") return "folder";
  return value.startsWith("PATH") || value === "FILE" ? "file" : "text";
}

/** Option names by what may stand after them. */
function optionsWith(value: Value): readonly string[] {
  const names = all.flatMap(({ options }) => options.filter((option) => kindOf(option) === value));
  return [...new Set(names.map(({ name }) => `--${name}`))].sort();
}

export function bashCompletion(): string {
  const cases = (value: Value, answer: string): string[] => {
    const names = optionsWith(value);
    return names.length === 0 ? [] : [`    ${names.join(" | ")}) ${answer}; return ;;`];
  };
  return [
    "# bash completion for tsvdagent",
    "_tsvdagent() {",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: of the shell.
    "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]-} options=",
    "  COMPREPLY=()",
    "  if ((COMP_CWORD == 1)); then",
    `    mapfile -t COMPREPLY < <(compgen -W '${all.map(({ name }) => name).join(" ")} --help --version' -- "$word")`,
    "    return",
    "  fi",
    "  case $before in",
    ...cases("level", `mapfile -t COMPREPLY < <(compgen -W '${logLevels.join(" ")}' -- "$word")`),
    ...cases("file", 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word")'),
    ...cases("folder", 'compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$word")'),
    ...cases("text", ":"),
    "  esac",
    "  case $command in",
    ...all.map(
      ({ name, options }) => `    ${name}) options='${options.map((option) => `--${option.name}`).join(" ")}' ;;`,
    ),
    "  esac",
    `  if [[ $word != -* && $command == @(${takingFiles.join("|")}) ]]; then`,
    '    compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word")',
    "    return",
    "  fi",
    '  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")',
    "}",
    "complete -F _tsvdagent tsvdagent",
    "",
  ].join("\n");
}

function zshText(text: string): string {
  return text.replaceAll("'", "’").replace(/[[\]:\\]/g, "\\$&");
}

export function zshCompletion(): string {
  const actions: Readonly<Record<Value, string>> = {
    nothing: "",
    file: ":file:_files",
    folder: ":folder:_files -/",
    level: `:level:(${logLevels.join(" ")})`,
    text: ":value:",
  };
  const spec = (option: Option & { readonly name: string }): string =>
    `'${option.multiple === true ? "*" : ""}--${option.name}[${zshText(option.about)}]${actions[kindOf(option)]}'`;
  return [
    "#compdef tsvdagent",
    "",
    "local -a commands=(",
    ...all.map(({ name, about }) => `  '${name}:${zshText(about)}'`),
    ")",
    "if ((CURRENT == 2)); then",
    "  _describe command commands",
    "  return",
    "fi",
    "local command=$words[2]",
    "shift words",
    "((CURRENT--))",
    "case $command in",
    ...all.flatMap(({ name, options, takesFiles }) => [
      `  ${name})`,
      `    _arguments ${[...options.map(spec), ...(takesFiles ? ["'*:file:_files'"] : [])].join(" \\\n      ")}`,
      "    ;;",
    ]),
    "esac",
    "",
  ].join("\n");
}

export function fishCompletion(): string {
  const quote = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;
  const actions: Readonly<Record<Value, string>> = {
    nothing: "",
    file: " --require-parameter --force-files",
    folder: " --no-files --arguments '(__fish_complete_directories)'",
    level: ` --exclusive --arguments '${logLevels.join(" ")}'`,
    text: " --exclusive",
  };
  return [
    "# fish completion for tsvdagent",
    "complete --command tsvdagent --no-files",
    ...takingFiles.map(
      (name) => `complete --command tsvdagent --condition '__fish_seen_subcommand_from ${name}' --force-files`,
    ),
    ...all.map(
      ({ name, about }) =>
        `complete --command tsvdagent --condition __fish_use_subcommand --arguments ${name} --description ${quote(about)}`,
    ),
    ...all.flatMap(({ name, options }) =>
      options.map(
        (option) =>
          `complete --command tsvdagent --condition '__fish_seen_subcommand_from ${name}' --long-option ${option.name}` +
          `${actions[kindOf(option)]} --description ${quote(option.about)}`,
      ),
    ),
    "",
  ].join("\n");
}
