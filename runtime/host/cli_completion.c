/* `orrery completion SHELL`: the script that makes a shell complete our command line. The scripts know nothing of our
 * commands: they hand the words to `orrery complete` (cli_complete.c) and show what it offers, so they never grow old. */
#include <string.h>

#include "base/str.h"
#include "host/cli.h"

/* Bash takes words apart at = and :, and wants back only what comes after the last of them. */
static const char BASH[] =
    "# bash completion for orrery; made by `orrery completion bash`\n"
    "_orrery() {\n"
    "  local line candidate cut=\"\" i last=\"\"\n"
    "  local -a words=()\n"
    "  for ((i = 1; i <= COMP_CWORD; i++)); do\n"
    "    line=${COMP_WORDS[i]}\n"
    "    if ((${#words[@]} > 0)) && [[ $line == [=:]* || $last == *[=:] ]] && [[ $last ]]; then\n"
    "      words[${#words[@]}-1]+=$line\n"
    "    else\n"
    "      words+=(\"$line\")\n"
    "    fi\n"
    "    last=$line\n"
    "  done\n"
    "  COMPREPLY=()\n"
    "  line=${words[${#words[@]}-1]}\n"
    "  [[ $COMP_WORDBREAKS == *=* && $line == *=* ]] && cut=${line%\"${line##*=}\"}\n"
    "  [[ $COMP_WORDBREAKS == *:* && $line == *:* ]] && cut=${line%\"${line##*[=:]}\"}\n"
    "  while IFS= read -r line; do\n"
    "    case $line in\n"
    "      :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]#=}\") ;;\n"
    "      :dirs) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"${COMP_WORDS[COMP_CWORD]#=}\") ;;\n"
    "      *)\n"
    "        candidate=${line%%$'\\t'*}\n"
    "        [[ $candidate == *= ]] && compopt -o nospace\n"
    "        candidate=${candidate#\"$cut\"}\n"
    "        printf -v candidate %q \"$candidate\"\n"
    "        COMPREPLY+=(\"$candidate\") ;;\n"
    "    esac\n"
    "  done < <(\"${COMP_WORDS[0]}\" complete \"${words[@]}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _orrery orrery\n";

static const char ZSH[] =
    "#compdef orrery\n"
    "# zsh completion for orrery; made by `orrery completion zsh`\n"
    "_orrery() {\n"
    "  local line word prefix=\"\"\n"
    "  local -a described joined\n"
    "  [[ $words[CURRENT] == --*=* ]] && prefix=${words[CURRENT]%%=*}=\n"
    "  for line in \"${(@f)$(\"${words[1]}\" complete \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "    [[ -n $line ]] || continue\n"
    "    case $line in\n"
    "      :files) compset -P '*='; _files; return ;;\n"
    "      :dirs) compset -P '*='; _files -/; return ;;\n"
    "    esac\n"
    "    word=${${line%%$'\\t'*}#$prefix}\n"
    "    word=${word//:/\\\\:}\n"
    "    if [[ $word == *= ]]; then joined+=(\"$word:${line#*$'\\t'}\"); else described+=(\"$word:${line#*$'\\t'}\"); fi\n"
    "  done\n"
    "  [[ -n $prefix ]] && compset -P '*='\n"
    "  (( $#joined )) && _describe -V orrery joined -S ''\n"
    "  (( $#described )) && _describe -V orrery described\n"
    "}\n"
    "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _orrery \"$@\"; elif (( $+functions[compdef] )); then compdef _orrery orrery; fi\n";

static const char FISH[] =
    "# fish completion for orrery; made by `orrery completion fish`\n"
    "function __orrery_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l program $words[1]\n"
    "    set -e words[1]\n"
    "    set -l last (commandline -ct)\n"
    "    for line in ($program complete $words \"$last\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case :files\n"
    "                __fish_complete_path (string replace -r '^--[^=]*=' '' -- $last)\n"
    "            case :dirs\n"
    "                __fish_complete_directories (string replace -r '^--[^=]*=' '' -- $last)\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c orrery -f -a '(__orrery_complete)'\n";

int orr__cli_completion(orr__cli *cli) {
  static const struct { const char *shell, *script; } SCRIPTS[] = {{"bash", BASH}, {"zsh", ZSH}, {"fish", FISH}};
  const char *shell = orr__json_word(cli->kept, "shell");
  for (size_t i = 0; i < sizeof SCRIPTS / sizeof *SCRIPTS; i++) {
    if (!orr__streq(shell, SCRIPTS[i].shell)) continue;
    fputs(SCRIPTS[i].script, stdout);
    return 0;
  }
  orr_error error = ORR_ERROR_INIT;
  orr__error_set(&error, ORR_E_INVALID, "no completion for the shell '%.40s'; there is bash, zsh and fish", shell ? shell : "");
  return orr__cli_fail(cli, &error);
}
