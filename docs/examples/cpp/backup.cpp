// A provider in C++ and its host: backup DATA_DIR FILE TARGET keeps a copy of FILE in the folder TARGET.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "orrery.hpp"

namespace fs = std::filesystem;

// The value of "key" in flat JSON text, as far as this example needs it; a real program has a JSON library.
static std::string text_of(const std::string &json, const std::string &key) {
  size_t at = json.find("\"" + key + "\":\"");
  if (at == std::string::npos) return "";
  std::string out;
  for (at += key.size() + 4; at < json.size() && json[at] != '"'; at++) out += json[at] == '\\' ? json[++at] : json[at];
  return out;
}

static const char declaration[] = R"({ "apiVersion": 1, "code": "copier", "name": "Copies a file", "version": "1.0.0", "idempotent": true, "optionTypes": [
  { "fieldName": "file", "fieldLabel": "File", "inputType": "text", "required": true },
  { "fieldName": "target", "fieldLabel": "Folder", "inputType": "text", "required": true } ] })";

// The result's uuid names the copy, so that a start that is repeated writes the same one.
static void copy(orrery::hook &h) {
  std::string given = h.json();
  fs::path to = fs::path(text_of(given, "target")) / text_of(given.substr(given.find("\"backupResult\"")), "uuid");
  h.sent("write a copy");
  fs::copy_file(text_of(given, "file"), to, fs::copy_options::overwrite_existing);
  h.set("backupResult.resultPath", orrery::quote(to.string()));
  h.set("backupResult.sizeInBytes", std::to_string(fs::file_size(to)));
  h.set("backupResult.status", "\"SUCCEEDED\"");
  h.done();
}

static void remove(orrery::hook &h) {
  h.sent("remove the copy");
  fs::remove(text_of(h.json(), "resultPath"));
  h.done();
}

// A hook that does its work on a thread of its own; what that throws halts.
static std::function<void(orrery::hook)> on_a_thread(void (*work)(orrery::hook &)) {
  return [work](orrery::hook h) {
    std::thread([work](orrery::hook own) {
      try {
        work(own);
      } catch (const std::exception &e) {
        own.halt(e.what());
      }
    }, std::move(h)).detach();
  };
}

int main(int argc, char **argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: backup DATA_DIR FILE TARGET\n"), 2;
  try {
    orrery::settings settings;
    settings.set("data_dir", argv[1]);
    orrery::runtime runtime(settings);
    runtime.add(declaration, { { "executeBackup", on_a_thread(copy) }, { "deleteBackupResult", on_a_thread(remove) } });
    runtime.ask("backup.create", "{\"name\":\"copy\",\"provider\":\"copier\",\"config\":{\"file\":" + orrery::quote(argv[2]) +
                                     ",\"target\":" + orrery::quote(argv[3]) + "}}");
    std::string result = "{\"result\":" + orrery::quote(text_of(runtime.ask("backup.run", R"({"backup":"copy"})"), "uuid")) + "}";
    std::string ended = runtime.ask("result.watch", result, [](const orrery::event &e) {
      if (e.kind() == ORR_EVENT_UPDATE) std::printf("it is %s\n", text_of(e.json(), "status").c_str());
    });
    std::string path = text_of(ended, "resultPath");
    std::printf("%s, %s\n", text_of(ended, "status").c_str(), path.c_str());
    bool is_copied = fs::exists(path);
    runtime.ask("result.rm", result);
    std::printf("the copy is %s\n", fs::exists(path) ? "still there" : "gone");
    return is_copied && !fs::exists(path) ? 0 : 1;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
