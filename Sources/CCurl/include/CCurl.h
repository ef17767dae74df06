// SPDX-License-Identifier: MIT

/// libcurl as Swift can call it: its variadic functions with fixed types, and the library itself loaded at first use,
/// so that a gateway that sends no requests of its own neither needs nor holds it in memory.

#ifndef CCURL_H
#define CCURL_H

#include <curl/curl.h>

/// Called with `size` bytes; returns how many were taken, or `CURL_WRITEFUNC_PAUSE`.
typedef size_t (*ccurl_receiver)(char *bytes, size_t one, size_t size, void *context);

/// Loads and prepares libcurl once. Returns NULL, or why it can't be had (valid for ever). Any thread.
const char *ccurl_load(void);

/// The functions below are only to be called after `ccurl_load` returned NULL.
CURL *ccurl_easy_new(void);
void ccurl_easy_free(CURL *easy);
CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value);
CURLcode ccurl_set_size(CURL *easy, CURLoption option, curl_off_t value);
/// The text is copied; NULL unsets.
CURLcode ccurl_set_text(CURL *easy, CURLoption option, const char *value);
/// The bytes are copied. With `CURLOPT_COPYPOSTFIELDS` the size counts, not a NUL.
CURLcode ccurl_set_bytes(CURL *easy, CURLoption option, const void *bytes, size_t size);
CURLcode ccurl_set_list(CURL *easy, CURLoption option, struct curl_slist *list);
/// Both receivers get `context`.
CURLcode ccurl_set_receivers(CURL *easy, ccurl_receiver header, ccurl_receiver body, void *context);
/// `buffer` has `CURL_ERROR_SIZE` bytes and outlives the handle.
CURLcode ccurl_set_error_buffer(CURL *easy, char *buffer);
long ccurl_status(CURL *easy);
CURLcode ccurl_pause(CURL *easy, int mask);
const char *ccurl_message(CURLcode code);

struct curl_slist *ccurl_list_append(struct curl_slist *list, const char *text);
void ccurl_list_free(struct curl_slist *list);

CURLM *ccurl_multi_new(long maximum_connections);
void ccurl_multi_free(CURLM *multi);
CURLMcode ccurl_multi_add(CURLM *multi, CURL *easy);
CURLMcode ccurl_multi_remove(CURLM *multi, CURL *easy);
CURLMcode ccurl_multi_perform(CURLM *multi, int *running);
CURLMcode ccurl_multi_poll(CURLM *multi, int timeout_milliseconds);
/// The only function here that may be called while another thread is in one with the same `multi`.
CURLMcode ccurl_multi_wakeup(CURLM *multi);
/// The next transfer that has ended, or NULL.
CURL *ccurl_multi_next_done(CURLM *multi, CURLcode *result);

#endif
