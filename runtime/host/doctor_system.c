/* The doctor's checks of the machine: time zones, clock, certificates, libraries, limits, systemd. What the runtime uses is
 * told by the runtime (runtime.facts), which may have another environment than whoever calls the doctor. */
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "host/clock.h"
#include "host/doctor.h"

#define YEAR_2025 INT64_C(1735689600000)
#define YEAR_2100 INT64_C(4102444800000)

enum { FILES_MIN = 1024, CLOCK_SLACK_MS = 5 * 60 * 1000, CA_SIZE_MIN = 1000 };

/* ---- time ------------------------------------------------------------------------------------------------- */

/* "2024a" of "# version 2024a"; "" if it is not told. */
static void read_zone_version(const char *folder, char version[16]) {
  char *path = orr__strf("%s/tzdata.zi", folder);
  FILE *file = path ? fopen(path, "re") : NULL;
  version[0] = '\0';
  if (file && fscanf(file, "# version %15s", version) != 1) version[0] = '\0';
  if (file) fclose(file);
  free(path);
}

static bool is_first_use(const cJSON *backups, const cJSON *backup, const char *zone) {
  for (const cJSON *before = backups->child; before && before != backup; before = before->next) {
    if (orr__streq(orr__json_word(before, "timeZone"), zone)) return false;
  }
  return true;
}

/* A runtime goes on with what it has read of a zone, until it looks again: so the file counts as well. UTC needs none. */
static bool has_zone_file(const char *folder, const char *zone) {
  char *path = orr__strf("%s/%s", folder, zone);
  bool is_there = !path || orr__streq(zone, "UTC") || access(path, R_OK) == 0;
  free(path);
  return is_there;
}

void orr__doctor_zones(orr__doctor *d) {
  const char *folder = orr__json_word(d->facts, "zoneinfo");
  if (!folder) folder = "/usr/share/zoneinfo";
  const cJSON *backup = NULL;
  char version[16];
  int zones = 0, missing = 0;
  cJSON_ArrayForEach(backup, d->backups) {
    const char *zone = orr__json_word(backup, "timeZone"), *name = orr__json_word(backup, "name");
    int code = 0;
    if (!zone || !is_first_use(d->backups, backup, zone)) continue;
    zones++;
    cJSON_Delete(orr__doctor_ask(d, "schedule.describe", "timeZone", zone, &code));
    bool is_read = code != ORR_E_INVALID && code != ORR_E_CORRUPT && code != ORR_E_IO && code != ORR_E_NOT_FOUND;
    if (is_read && has_zone_file(folder, zone)) continue;
    orr__doctor_problem(d, "apt install --reinstall tzdata, or give the Backup another zone", "%s has no zone %s, which Backup %s uses", folder, zone, name ? name : "?");
    missing++;
  }
  read_zone_version(folder, version);
  if (missing > 0) return;
  if (access(folder, R_OK | X_OK) != 0) orr__doctor_warning(d, "apt install tzdata", "there is no time zone database at %s: schedules know only UTC", folder);
  else orr__doctor_ok(d, "tzdata%s%s at %s; zones in use: %d", *version ? " " : "", version, folder, zones);
}

void orr__doctor_clock(orr__doctor *d) {
  int64_t now = orr__wall_ms();
  const cJSON *events = cJSON_GetObjectItemCaseSensitive(d->events, "events");
  const cJSON *last = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(events, cJSON_GetArraySize(events) - 1), "date");
  const cJSON *started = cJSON_GetObjectItemCaseSensitive(d->facts, "startedDate");
  static const char REMEDY[] = "set the clock, and have it kept: timedatectl set-ntp true";
  orr__buf text;
  orr__buf_init(&text, ORR_PRINT_MAX);
  orr__text_date(&text, now);
  if (now < YEAR_2025 || now > YEAR_2100) {
    orr__doctor_problem(d, REMEDY, "it shows %s", orr__buf_text(&text));
  } else if (cJSON_IsNumber(last) && last->valuedouble > (double)(now + CLOCK_SLACK_MS)) {
    orr__buf_adds(&text, ", but the last event was recorded at ");
    orr__text_date(&text, (int64_t)last->valuedouble);
    orr__doctor_problem(d, REMEDY, "it shows %s", orr__buf_text(&text));
  } else if (d->is_answering && cJSON_IsNumber(started) && started->valuedouble > (double)(now + CLOCK_SLACK_MS)) {
    orr__buf_adds(&text, ", but the runtime started at ");
    orr__text_date(&text, (int64_t)started->valuedouble);
    orr__doctor_warning(d, REMEDY, "it shows %s", orr__buf_text(&text));
  } else {
    orr__doctor_ok(d, "%s", orr__buf_text(&text));
  }
  orr__buf_clear(&text);
}

/* ---- libraries and limits --------------------------------------------------------------------------------- */

/* Could a runtime be asked, one that knows runtime.facts? */
static bool has_facts(const orr__doctor *d) {
  return cJSON_HasObjectItem(d->facts, "libraries");
}

void orr__doctor_tls(orr__doctor *d) {
  const char *bundle = orr__json_word(d->facts, "caBundle");
  struct stat st;
  if (!has_facts(d)) return;
  if (!bundle) orr__doctor_ok(d, "libcurl has no bundle of certificates of its own");
  else if (stat(bundle, &st) != 0 || st.st_size < CA_SIZE_MIN)
    orr__doctor_warning(d, "apt install ca-certificates", "no certificates to trust at %s: HTTPS works only with caCert or tlsFingerprint", bundle);
  else orr__doctor_ok(d, "certificates to trust at %s", bundle);
}

/* "3.40.1", "OpenSSL/3.0.15", "LuaJIT 2.1.0-beta3" as a number to compare: 3040001. */
static long version_number(const char *text) {
  const char *digits = text + strcspn(text, "0123456789");
  int a = 0, b = 0, c = 0;
  sscanf(digits, "%d.%d.%d", &a, &b, &c);
  return a * 1000000L + b * 1000L + c;
}

void orr__doctor_libraries(orr__doctor *d) {
  static const struct { const char *name; long from, to; bool is_harmful; const char *fault; } FAULTS[] = {
      {"SQLite", 3007000, 3051002, false, "its WAL-reset bug takes two connections, and there is one"},
      {"TLS", 1000000, 2999999, true, "which gets no repairs any more"},
      {"libcurl", 7000000, 7084999, true, "which does not know all we ask of it"},
  };
  const cJSON *libraries = cJSON_GetObjectItemCaseSensitive(d->facts, "libraries"), *library = NULL;
  orr__buf all;
  orr__buf_init(&all, ORR_PRINT_MAX);
  cJSON_ArrayForEach(library, libraries) {
    if (!cJSON_IsString(library)) continue;
    const char *version = library->valuestring;
    bool has_name = !(version[0] >= '0' && version[0] <= '9');
    orr__buf_addf(&all, "%s%s%s%s", all.len ? ", " : "", has_name ? "" : library->string, has_name ? "" : " ", version);
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
      long number = version_number(version);
      if (!orr__streq(FAULTS[i].name, library->string) || number < FAULTS[i].from || number > FAULTS[i].to) continue;
      if (FAULTS[i].is_harmful) orr__doctor_warning(d, "install a newer one", "%s %s, %s", library->string, version, FAULTS[i].fault);
      else orr__buf_addf(&all, " (%s)", FAULTS[i].fault);
    }
  }
  if (all.len > 0) orr__doctor_ok(d, "%s", orr__buf_text(&all));
  orr__buf_clear(&all);
}

void orr__doctor_limits(orr__doctor *d) {
  const cJSON *files = cJSON_GetObjectItemCaseSensitive(d->facts, "openFiles");
  if (!has_facts(d)) return;
  if (cJSON_IsNumber(files) && files->valuedouble < FILES_MIN)
    orr__doctor_warning(d, "LimitNOFILE=65536 in the unit, or ulimit -n 65536", "%s may open only %.0f files", d->is_answering ? "the runtime" : "a command", files->valuedouble);
  else if (cJSON_IsNumber(files)) orr__doctor_ok(d, "%.0f open files", files->valuedouble);
  else orr__doctor_ok(d, "any number of open files");
}

/* ---- systemd ---------------------------------------------------------------------------------------------- */

static bool has_match(const char *pattern) {
  glob_t found;
  bool has = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
  globfree(&found);
  return has;
}

void orr__doctor_service(orr__doctor *d) {
  bool is_installed = has_match("/etc/systemd/system/orrery.service") || has_match("/lib/systemd/system/orrery.service") ||
                      has_match("/usr/lib/systemd/system/orrery.service");
  bool is_enabled = has_match("/etc/systemd/system/*.wants/orrery.service");
  if (access("/run/systemd/system", F_OK) != 0 || !is_installed) return;
  /* The unit serves one directory; another one is none of its business. */
  if (!orr__streq(d->dir, "/var/lib/orrery")) return;
  if (is_enabled && !orr__doctor_serves(d)) orr__doctor_problem(d, "systemctl status orrery; journalctl -u orrery -n 50", "orrery.service is enabled and does not run");
  else if (!is_enabled) orr__doctor_warning(d, "systemctl enable --now orrery", "orrery.service is installed and not enabled");
  else orr__doctor_ok(d, "orrery.service is enabled and runs");
}
