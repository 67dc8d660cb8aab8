/* Growable bytes and what both programs read of an HTTP/1.1 head. */
#ifndef BENCH_HTTP_READ_H
#define BENCH_HTTP_READ_H

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct bytes {
    char *data;
    size_t length, capacity;
};

static inline void fail(const char *what) {
    perror(what);
    exit(1);
}

static inline char *room(struct bytes *buffer, size_t more) {
    if (buffer->length + more > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : 16384;
        while (capacity < buffer->length + more)
            capacity *= 2;
        buffer->data = realloc(buffer->data, capacity);
        if (!buffer->data)
            fail("realloc");
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->length;
}

static inline void append(struct bytes *buffer, const void *data, size_t length) {
    memcpy(room(buffer, length), data, length);
    buffer->length += length;
}

static inline void drop_front(struct bytes *buffer, size_t count) {
    buffer->length -= count;
    memmove(buffer->data, buffer->data + count, buffer->length);
}

static inline int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * INT64_C(1000000000) + at.tv_nsec;
}

/* The value of a header in a head (which ends with an empty line), or NULL. `name` is lower case, with its colon. */
static inline const char *header(const char *head, size_t length, const char *name) {
    size_t name_length = strlen(name);
    const char *end = head + length;
    for (const char *line = memchr(head, '\n', length); line && ++line < end;
         line = memchr(line, '\n', end - line)) {
        if ((size_t)(end - line) < name_length)
            return NULL;
        if (strncasecmp(line, name, name_length) == 0) {
            line += name_length;
            while (*line == ' ')
                line++;
            return line;
        }
    }
    return NULL;
}

#endif
