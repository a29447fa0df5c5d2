/* Where a command works: the data directory and the settings, from options, environment and defaults.
 *
 *   data directory   --data, else $ORRERY_DATA, else /var/lib/orrery where that is ours (the user orrery of the system's service)
 *                    or root asks, else $XDG_DATA_HOME/orrery, else ~/.local/share/orrery
 *   providers        every --providers, then those of $ORRERY_PROVIDERS, parted by colons
 *   key file         --setting key_file, else orrery.key among the credentials that systemd hands over, else the
 *                    library's own */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "host/cli.h"

static const char *set_or_null(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

char *orr__path_absolute(const char *path) {
  if (path[0] == '/') return orr__strdup(path);
  char *here = getcwd(NULL, 0);
  if (!here) return NULL;
  char *joined = orr__streq(path, ".") ? orr__strdup(here) : orr__strf("%s/%s", here, orr__starts_with(path, "./") ? path + 2 : path);
  free(here);
  return joined;
}

/* Of the system's service: its unit says StateDirectory=orrery. */
#define SYSTEM_DIR "/var/lib/orrery"

static bool is_system_ours(void) {
  struct stat st;
  return lstat(SYSTEM_DIR, &st) == 0 && S_ISDIR(st.st_mode) && (geteuid() == 0 || st.st_uid == geteuid());
}

static char *default_dir(void) {
  const char *named = set_or_null("ORRERY_DATA");
  if (named) return orr__path_absolute(named);
  if (is_system_ours()) return orr__strdup(SYSTEM_DIR);
  const char *xdg = set_or_null("XDG_DATA_HOME");
  if (xdg && xdg[0] == '/') return orr__strf("%s/orrery", xdg);
  const char *home = set_or_null("HOME");
  if (!home) {
    const struct passwd *user = getpwuid(getuid());
    home = user && user->pw_dir ? user->pw_dir : "/";
  }
  return orr__strf("%s/.local/share/orrery", home);
}

static int add_provider(orr__cli *cli, const char *dir, orr_error *reterr) {
  char *path = orr__path_absolute(dir);
  int rc = path ? orr_settings_set(cli->settings, "providers", path, reterr)
                : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
  free(path);
  return rc;
}

static int add_providers(orr__cli *cli, orr_error *reterr) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < cli->globals.provider_count; i++) rc = add_provider(cli, cli->globals.providers[i], reterr);
  const char *list = set_or_null("ORRERY_PROVIDERS");
  while (rc == 0 && list && *list) {
    size_t len = strcspn(list, ":");
    char *dir = orr__strndup(list, len);
    if (!dir) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    if (len > 0) rc = add_provider(cli, dir, reterr);
    free(dir);
    list += len + (list[len] == ':');
  }
  return rc;
}

static int add_settings(orr__cli *cli, orr_error *reterr) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < cli->globals.setting_count; i++) {
    const char *text = cli->globals.settings[i];
    const char *equals = strchr(text, '=');
    if (!equals) return orr__error_set(reterr, ORR_E_INVALID, "--setting %s: should be key=value", text);
    char *key = orr__strndup(text, (size_t)(equals - text));
    if (!key) return orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
    bool is_ours = orr__streq(key, "data_dir") || orr__streq(key, "role");
    rc = is_ours ? orr__error_set(reterr, ORR_E_INVALID, "--setting %s: it follows from %s", key, orr__streq(key, "role") ? "the command" : "--data")
                 : orr_settings_set(cli->settings, key, equals + 1, reterr);
    free(key);
  }
  return rc;
}

/* The file that systemd hands over (LoadCredential=orrery.key:...), where it does. Owned; NULL. */
static char *credential_path(void) {
  const char *folder = set_or_null("CREDENTIALS_DIRECTORY");
  char *path = folder ? orr__strf("%s/orrery.key", folder) : NULL;
  if (path && access(path, F_OK) == 0) return path;
  free(path);
  return NULL;
}

static int add_key(orr__cli *cli, orr_error *reterr) {
  char *path = credential_path();
  int rc = path ? orr_settings_set(cli->settings, "key_file", path, reterr) : 0;
  free(path);
  return rc;
}

char *orr__cli_key_path(const orr__cli *cli) {
  static const char SETTING[] = "key_file=";
  for (size_t i = cli->globals.setting_count; i-- > 0;) {
    if (orr__starts_with(cli->globals.settings[i], SETTING)) return orr__strdup(cli->globals.settings[i] + strlen(SETTING));
  }
  char *path = credential_path();
  return path ? path : orr__strf("%s/secret.key", cli->data_dir);
}

static int place(orr__cli *cli, orr_error *reterr) {
  free(cli->data_dir);
  orr_settings_free(cli->settings);
  cli->data_dir = cli->globals.data_dir ? orr__path_absolute(cli->globals.data_dir) : default_dir();
  cli->settings = orr_settings_new();
  return cli->data_dir && cli->settings ? 0 : orr__error_set(reterr, ORR_E_NOMEM, "out of memory");
}

int orr__cli_place(orr__cli *cli, const char *role, orr_error *reterr) {
  int rc = place(cli, reterr);
  if (rc == 0) rc = orr_settings_set(cli->settings, "data_dir", cli->data_dir, reterr);
  if (rc == 0) rc = orr_settings_set(cli->settings, "role", role, reterr);
  if (rc == 0) rc = add_providers(cli, reterr);
  if (rc == 0) rc = add_key(cli, reterr);
  if (rc == 0) rc = add_settings(cli, reterr);
  return rc;
}

int orr__cli_place_apart(orr__cli *cli, const char *only_dir, orr_error *reterr) {
  int rc = place(cli, reterr);
  char *own = rc == 0 ? orr__strf("%s/providers", cli->data_dir) : NULL;
  if (rc == 0) rc = orr_settings_set(cli->settings, "role", "command", reterr);
  if (rc == 0 && only_dir) rc = orr_settings_set(cli->settings, "shipped_providers", "false", reterr);
  if (rc == 0) rc = only_dir ? add_provider(cli, only_dir, reterr) : add_providers(cli, reterr);
  if (rc == 0 && !only_dir && own && access(own, F_OK) == 0) rc = add_provider(cli, own, reterr);
  if (rc == 0) rc = add_settings(cli, reterr);
  if (rc == 0) rc = orr_settings_set(cli->settings, "store", "memory", reterr);
  free(own);
  return rc;
}
