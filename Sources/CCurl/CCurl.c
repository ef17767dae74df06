// SPDX-License-Identifier: MIT

#include "CCurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

// The header wraps these names in macros that check types; here their addresses are meant.
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define EACH_FUNCTION(apply)                                                                                           \
    apply(curl_global_init) apply(curl_easy_init) apply(curl_easy_cleanup) apply(curl_easy_setopt)                     \
        apply(curl_easy_getinfo) apply(curl_easy_pause) apply(curl_easy_strerror) apply(curl_slist_append)             \
            apply(curl_slist_free_all) apply(curl_multi_init) apply(curl_multi_cleanup) apply(curl_multi_setopt)       \
                apply(curl_multi_add_handle) apply(curl_multi_remove_handle) apply(curl_multi_perform)                 \
                    apply(curl_multi_poll) apply(curl_multi_wakeup) apply(curl_multi_info_read)

#define DECLARE(name) __typeof__(&name) name;
static struct {
    EACH_FUNCTION(DECLARE)
} api;

static char reason[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
#ifdef __APPLE__
    const char *names[] = {"libcurl.4.dylib", NULL};
#else
    const char *names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", NULL};
#endif
    void *library = NULL;
    for (int index = 0; names[index] && !library; index++) library = dlopen(names[index], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(reason, sizeof reason, "libcurl is not installed (package libcurl4): %s", dlerror());
        return;
    }
#define RESOLVE(name)                                                                                                  \
    api.name = (__typeof__(&name))dlsym(library, #name);                                                               \
    if (!api.name) {                                                                                                   \
        snprintf(reason, sizeof reason, "libcurl is too old: it has no " #name);                                       \
        return;                                                                                                        \
    }
    EACH_FUNCTION(RESOLVE)
    if (api.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        snprintf(reason, sizeof reason, "libcurl could not be prepared");
}

const char *ccurl_load(void) {
    pthread_once(&once, load);
    return reason[0] ? reason : NULL;
}

CURL *ccurl_easy_new(void) { return api.curl_easy_init(); }
void ccurl_easy_free(CURL *easy) { api.curl_easy_cleanup(easy); }

CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) {
    return api.curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return api.curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value) {
    return api.curl_easy_setopt(easy, option, value);
}

CURLcode ccurl_set_bytes(CURL *easy, CURLoption option, const void *bytes, size_t size) {
    if (option == CURLOPT_COPYPOSTFIELDS) {
        CURLcode code = api.curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
        return code ? code : api.curl_easy_setopt(easy, option, size ? bytes : "");
    }
    struct curl_blob blob = {.data = (void *)bytes, .len = size, .flags = CURL_BLOB_COPY};
    return api.curl_easy_setopt(easy, option, &blob);
}

CURLcode ccurl_set_list(CURL *easy, CURLoption option, struct curl_slist *list) {
    return api.curl_easy_setopt(easy, option, list);
}

CURLcode ccurl_set_receivers(CURL *easy, ccurl_receiver header, ccurl_receiver body, void *context) {
    api.curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header);
    api.curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
    api.curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
    return api.curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
}

CURLcode ccurl_set_error_buffer(CURL *easy, char *buffer) {
    return api.curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, buffer);
}

long ccurl_status(CURL *easy) {
    long status = 0;
    api.curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

CURLcode ccurl_pause(CURL *easy, int mask) { return api.curl_easy_pause(easy, mask); }
const char *ccurl_message(CURLcode code) { return api.curl_easy_strerror(code); }

struct curl_slist *ccurl_list_append(struct curl_slist *list, const char *text) {
    return api.curl_slist_append(list, text);
}
void ccurl_list_free(struct curl_slist *list) { api.curl_slist_free_all(list); }

CURLM *ccurl_multi_new(long maximum_connections) {
    CURLM *multi = api.curl_multi_init();
    if (multi) api.curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, maximum_connections);
    return multi;
}
void ccurl_multi_free(CURLM *multi) { api.curl_multi_cleanup(multi); }
CURLMcode ccurl_multi_add(CURLM *multi, CURL *easy) { return api.curl_multi_add_handle(multi, easy); }
CURLMcode ccurl_multi_remove(CURLM *multi, CURL *easy) { return api.curl_multi_remove_handle(multi, easy); }
CURLMcode ccurl_multi_perform(CURLM *multi, int *running) { return api.curl_multi_perform(multi, running); }
CURLMcode ccurl_multi_poll(CURLM *multi, int timeout_milliseconds) {
    return api.curl_multi_poll(multi, NULL, 0, timeout_milliseconds, NULL);
}
CURLMcode ccurl_multi_wakeup(CURLM *multi) { return api.curl_multi_wakeup(multi); }

CURL *ccurl_multi_next_done(CURLM *multi, CURLcode *result) {
    int left = 0;
    for (CURLMsg *message; (message = api.curl_multi_info_read(multi, &left));) {
        if (message->msg != CURLMSG_DONE) continue;
        *result = message->data.result;
        return message->easy_handle;
    }
    return NULL;
}
