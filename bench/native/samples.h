/* Durations that were measured, their percentiles, and how they are printed as JSON. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include "http_read.h"

struct samples {
    int64_t *list;
    size_t count, capacity;
};

static inline void add_sample(struct samples *samples, int64_t value) {
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity ? samples->capacity * 2 : 65536;
        samples->list = realloc(samples->list, samples->capacity * sizeof *samples->list);
        if (!samples->list)
            fail("realloc");
    }
    samples->list[samples->count++] = value;
}

static inline int by_size(const void *one, const void *other) {
    int64_t left = *(const int64_t *)one, right = *(const int64_t *)other;
    return (left > right) - (left < right);
}

static inline double percentile_ms(const struct samples *sorted, double share) {
    size_t rank = (size_t)(share * (sorted->count - 1) + 0.5);
    return sorted->list[rank] / 1e6;
}

static inline void print_percentiles(const char *name, struct samples *samples) {
    printf(", \"%s\": ", name);
    if (!samples->count) {
        printf("null");
        return;
    }
    qsort(samples->list, samples->count, sizeof *samples->list, by_size);
    printf("{\"p50\": %.6f, \"p90\": %.6f, \"p99\": %.6f, \"max\": %.6f}", percentile_ms(samples, 0.5),
           percentile_ms(samples, 0.9), percentile_ms(samples, 0.99), percentile_ms(samples, 1));
}

static inline void print_text(const char *text) {
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
            putchar(' ');
        else
            putchar(*text);
    }
    putchar('"');
}

#endif
