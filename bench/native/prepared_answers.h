/* The file of answers that upstream.c gives, read once; what is in it, its own first comment says. */
#ifndef BENCH_PREPARED_ANSWERS_H
#define BENCH_PREPARED_ANSWERS_H

#include "http_read.h"

#define MARK "~t"
#define MARK_DIGITS 16

struct event {
    char *chunk;
    size_t length;
    size_t stamp; /* where the digits are, or 0 */
};

struct events {
    struct event *list;
    size_t count;
};

struct answer {
    char *path;
    struct bytes json;
    struct events before, delta, after;
};

static struct answer answers[16];
static size_t answer_count;

static void add_event(struct events *events, const char *data, size_t length) {
    events->list = realloc(events->list, (events->count + 1) * sizeof *events->list);
    struct event *event = &events->list[events->count++];
    char size[32];
    int size_length = snprintf(size, sizeof size, "%zx\r\n", length);
    event->length = size_length + length + 2;
    event->chunk = malloc(event->length);
    memcpy(event->chunk, size, size_length);
    memcpy(event->chunk + size_length, data, length);
    memcpy(event->chunk + size_length + length, "\r\n", 2);
    char *mark = memmem(event->chunk, event->length, MARK, strlen(MARK));
    event->stamp = mark ? (size_t)(mark - event->chunk) + strlen(MARK) : 0;
}

static void read_answers(const char *name) {
    FILE *file = fopen(name, "rb");
    if (!file)
        fail(name);
    char kind[16];
    size_t length;
    while (fscanf(file, "%15s %zu", kind, &length) == 2 && fgetc(file) == '\n') {
        char *data = malloc(length + 1);
        if (fread(data, 1, length, file) != length)
            fail("an answer is cut off");
        data[length] = 0;
        struct answer *answer = &answers[answer_count ? answer_count - 1 : 0];
        if (!strcmp(kind, "path")) {
            if (answer_count == sizeof answers / sizeof *answers)
                fail("too many answers");
            answers[answer_count++].path = data;
            continue;
        }
        if (!strcmp(kind, "json"))
            append(&answer->json, data, length);
        else if (!strcmp(kind, "before"))
            add_event(&answer->before, data, length);
        else if (!strcmp(kind, "delta"))
            add_event(&answer->delta, data, length);
        else if (!strcmp(kind, "after"))
            add_event(&answer->after, data, length);
        else
            fail(kind);
        free(data);
    }
    fclose(file);
}

#endif
