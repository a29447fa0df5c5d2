// orrery.hpp: the C library with C++'s ownership: what is opened is closed, what fails is thrown. C++17, one header, no library of its own.
//
//   orrery::settings settings;
//   settings.set("data_dir", "/var/lib/tool");
//   orrery::runtime runtime(settings);
//   std::string result = runtime.ask("backup.run", R"({"backup":"nightly"})");
//
// JSON goes in and comes out as text: which library reads it is the program's choice. Threads: as orrery.h says; a runtime may be used by all.
#ifndef ORRERY_HPP
#define ORRERY_HPP

#include <orrery.h>

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace orrery {

// What a call refused, or a request ended with. what() is the message.
class error : public std::runtime_error {
 public:
  explicit error(const orr_error *from)
      : std::runtime_error(orr_error_message(from)), word_(orr_error_word(from)), retryable_(orr_error_retryable(from) != 0) {
    for (size_t i = 0; orr_error_field(from, i); i++) fields_.emplace_back(orr_error_field(from, i), orr_error_field_message(from, i));
  }
  const std::string &word() const { return word_; }   // "not_found", ...: docs/errors.md
  bool retryable() const { return retryable_; }
  const std::vector<std::pair<std::string, std::string>> &fields() const { return fields_; }

 private:
  std::string word_;
  bool retryable_;
  std::vector<std::pair<std::string, std::string>> fields_;
};

namespace detail {
struct error_free { void operator()(orr_error *e) const { orr_error_free(e); } };
struct event_free { void operator()(orr_event *e) const { orr_event_free(e); } };
struct settings_free { void operator()(orr_settings *s) const { orr_settings_free(s); } };

// Calls f(orr_error *) and throws what it leaves there.
template <class F> void checked(F f) {
  std::unique_ptr<orr_error, error_free> err(orr_error_new());
  if (!err) throw std::bad_alloc();
  if (f(err.get()) < 0) throw error(err.get());
}

// Text as a JSON string, quotes included.
inline std::string quote(const std::string &text) {
  std::string out = "\"";
  for (char c : text) {
    const char *hex = "0123456789abcdef";
    if (c == '"' || c == '\\') out += '\\', out += c;
    else if (static_cast<unsigned char>(c) < 0x20) (out += "\\u00") += hex[(c >> 4) & 15], out += hex[c & 15];
    else out += c;
  }
  return out + '"';
}
}  // namespace detail

using detail::quote;

class settings {
 public:
  settings() : s_(orr_settings_new()) {
    if (!s_) throw std::bad_alloc();
  }
  settings &set(const std::string &key, const std::string &value) {
    detail::checked([&](orr_error *err) { return orr_settings_set(s_.get(), key.c_str(), value.c_str(), err); });
    return *this;
  }
  const orr_settings *get() const { return s_.get(); }

 private:
  std::unique_ptr<orr_settings, detail::settings_free> s_;
};

// One event; empty (false) where there was none.
class event {
 public:
  explicit event(orr_event *e) : e_(e) {}
  explicit operator bool() const { return e_ != nullptr; }
  int kind() const { return orr_event_kind(e_.get()); }
  uint64_t request() const { return orr_event_request(e_.get()); }
  uint64_t call() const { return orr_event_call(e_.get()); }
  std::string service() const { return orr_event_service(e_.get()) ? orr_event_service(e_.get()) : ""; }
  std::string json() const { return orr_event_json(e_.get()); }
  // Throws the error of a reply that failed.
  void check() const {
    if (orr_event_error(e_.get())) throw error(orr_event_error(e_.get()));
  }

 private:
  std::unique_ptr<orr_event, detail::event_free> e_;
};

// A hook's call: move-only, and ended exactly once. One that is dropped without an end ends as an error.
class hook {
 public:
  explicit hook(orr_hook *h) : h_(h) {}
  hook(hook &&other) noexcept : h_(std::exchange(other.h_, nullptr)) {}
  hook &operator=(hook &&other) noexcept {
    std::swap(h_, other.h_);
    return *this;
  }
  ~hook() {
    if (h_) orr_hook_fail(h_, "provider", "the hook was dropped without an answer", 0, nullptr);
  }
  std::string name() const { return orr_hook_name(h_); }
  std::string json() const { return orr_hook_json(h_); }
  std::string secret(const std::string &path) {
    const char *text = orr_hook_secret(h_, path.c_str());
    return text ? text : "";
  }
  void set(const std::string &path, const std::string &json) {
    detail::checked([&](orr_error *err) { return orr_hook_set(h_, path.c_str(), json.c_str(), err); });
  }
  // Not on the thread that turns the wheels: both wait until it is durable. Throws if nothing may leave.
  void sent(const std::string &act) {
    detail::checked([&](orr_error *err) { return orr_hook_sent(h_, act.c_str(), err); });
  }
  void save() {
    detail::checked([&](orr_error *err) { return orr_hook_save(h_, err); });
  }
  bool stopped() const { return orr_hook_stopped(h_) != 0; }
  void done(const std::string &answer = "{\"success\":true}") {
    orr_hook *h = std::exchange(h_, nullptr);
    if (!h) return;  // it has ended
    std::unique_ptr<orr_error, detail::error_free> err(orr_error_new());
    if (orr_hook_done(h, answer.c_str(), err.get()) == 0) return;
    std::string message = err ? orr_error_message(err.get()) : "out of memory";
    if (err && std::string(orr_error_word(err.get())) == "invalid") orr_hook_fail(h, "provider", message.c_str(), 0, nullptr);
  }
  void halt(const std::string &msg) { done("{\"success\":false,\"msg\":" + quote(msg) + "}"); }
  void fail(const std::string &word, const std::string &message, bool unsent = false) {
    if (orr_hook *h = std::exchange(h_, nullptr)) orr_hook_fail(h, word.c_str(), message.c_str(), unsent, nullptr);
  }

 private:
  orr_hook *h_;
};

// The hooks that a provider has, by their names. They are called on the thread that turns the wheels and must not wait: move the hook to a thread
// for what takes time. What one throws before it has moved the hook on ends it as an error.
using hooks = std::map<std::string, std::function<void(hook)>>;

class runtime {
 public:
  explicit runtime(const settings &s) {
    detail::checked([&](orr_error *err) { return orr_open(s.get(), &r_, err); });
  }
  runtime(const runtime &) = delete;
  runtime &operator=(const runtime &) = delete;
  ~runtime() { orr_close(r_); }

  orr_runtime *get() const { return r_; }
  int fd() const { return orr_fd(r_); }            // readable when step() has something to do
  bool step(int64_t max_wait_ms = 0) { return orr_step(r_, max_wait_ms) != 0; }
  event next() { return event(orr_next(r_)); }
  event wait(int64_t max_wait_ms = -1) { return event(orr_wait(r_, max_wait_ms)); }

  uint64_t submit(const std::string &request, const std::string &args = "{}") {
    uint64_t id = 0;
    detail::checked([&](orr_error *err) { return orr_submit(r_, request.c_str(), args.c_str(), &id, err); });
    return id;
  }
  // Asks and waits for the reply's JSON; other events on the way go to `on`, if given, else nowhere.
  std::string ask(const std::string &request, const std::string &args = "{}", const std::function<void(const event &)> &on = nullptr) {
    uint64_t id = submit(request, args);
    while (event e = wait()) {
      if (e.kind() == ORR_EVENT_REPLY && e.request() == id) {
        e.check();
        return e.json();
      }
      if (on) on(e);
    }
    throw std::runtime_error("the runtime was closed");
  }
  // Adds a provider: its declaration as JSON, and its hooks. Before the first step. They are kept until the runtime closes.
  void add(const std::string &declaration, hooks fns) {
    auto kept = std::make_unique<hooks>(std::move(fns));
    orr_provider p{};
    p.size = sizeof p;
    p.declaration = declaration.c_str();
    p.self = kept.get();
    p.released = [](void *self) { delete static_cast<hooks *>(self); };
    static const std::map<std::string, orr_hook_function orr_provider::*> places = {
#define ORRERY_HOOK(name) { #name, &orr_provider::name },
        ORRERY_HOOK(configureBackup) ORRERY_HOOK(validateBackup) ORRERY_HOOK(createBackup) ORRERY_HOOK(deleteBackup)
        ORRERY_HOOK(deleteBackupResult) ORRERY_HOOK(prepareExecuteBackup) ORRERY_HOOK(prepareBackupResult) ORRERY_HOOK(executeBackup)
        ORRERY_HOOK(refreshBackupResult) ORRERY_HOOK(cancelBackup) ORRERY_HOOK(extractBackup) ORRERY_HOOK(recoverBackupResult)
        ORRERY_HOOK(recoverBackup) ORRERY_HOOK(refreshBackupResults) ORRERY_HOOK(updateBackup) ORRERY_HOOK(testConnection)
        ORRERY_HOOK(cleanUp) ORRERY_HOOK(optionSource) ORRERY_HOOK(listBackupResults)
#undef ORRERY_HOOK
    };
    for (const auto &named : *kept) {
      auto place = places.find(named.first);
      if (place == places.end()) throw std::invalid_argument("no hook is called " + named.first);
      p.*(place->second) = &call;
    }
    detail::checked([&](orr_error *err) { return orr_provider_register(r_, &p, err); });
    kept.release();
  }

 private:
  static void call(void *self, orr_hook *h) {
    hook owned(h);
    try {
      static_cast<hooks *>(self)->at(owned.name())(std::move(owned));
    } catch (...) {  // the hook object has ended it on its way out
    }
  }
  orr_runtime *r_ = nullptr;
};

}  // namespace orrery

#endif
