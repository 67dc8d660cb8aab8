/* The load generator: one thread on epoll, a closed loop on connections that are kept alive.
 *
 *     load --port N --connections N (--seconds S | --each N) [--warm-up S] [--ramp-ms N] [--ending TEXT]
 *          [--timeout-s S] REQUEST...
 *
 * REQUEST is a file with a whole HTTP request, head and body; connection number i sends the one numbered i modulo
 * their count, the next as soon as the answer to the last has come. With --seconds no request begins after that
 * time, and what ends later does not count; with --each every connection sends that many. It prints one JSON object.
 * An answer counts if its status is 200, its body is whole, and the body ends with TEXT in its last 512 bytes.
 * Events are counted by their empty line. "~t" and sixteen digits in a body are the CLOCK_MONOTONIC nanoseconds at
 * which that event was written by the upstream: the delay of each is taken when it is read.
 */
#define _GNU_SOURCE
#include "http_read.h"
#include "samples.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TAIL 512

enum framing { UNTIL_CLOSE, BY_LENGTH, CHUNKED };
enum chunk_part { CHUNK_SIZE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER };

struct connection {
    int fd, reused, is_connecting;
    struct bytes *request;
    size_t sent;
    struct bytes head;
    int head_done, status, keep_alive;
    enum framing framing;
    enum chunk_part part;
    size_t left; /* of the body, or of the chunk */
    char line[32];
    size_t line_length;
    char tail[TAIL * 2];
    size_t tail_length;
    int newlines, mark_state;
    char digits[16];
    int64_t started_ns, first_event_ns, read_ns;
    long events, stamps, requests;
};

static struct {
    int port, connections, each;
    double seconds, warm_up, ramp_ms, timeout_s;
    const char *ending;
} options = {.connections = 1, .timeout_s = 60, .ending = ""};

static struct samples latency, first_event, delay;
static long answers, requests, errors, events, stamps, reconnects, odd_streams, streams;
static long usual_events = -1, usual_stamps = -1;
static int64_t begun_ns, counted_from_ns, stop_ns, last_end_ns, body_bytes;
static int loop_fd, active;
static char first_error[1024];

static void note_error(struct connection *connection, const char *what) {
    errors++;
    if (*first_error)
        return;
    connection->tail[connection->tail_length] = 0;
    snprintf(first_error, sizeof first_error, "%s (status %d): %.*s", what, connection->status, TAIL,
             connection->tail);
}

static void watch(struct connection *connection, int operation, int wants_write) {
    struct epoll_event what = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = connection};
    epoll_ctl(loop_fd, operation, connection->fd, &what);
}

static void connect_anew(struct connection *connection) {
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(options.port)};
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connection->reused = 0;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        fail("connect");
    connection->is_connecting = 1;
    watch(connection, EPOLL_CTL_ADD, 1);
}

static void send_rest(struct connection *connection) {
    struct bytes *request = connection->request;
    while (connection->sent < request->length) {
        ssize_t sent = send(connection->fd, request->data + connection->sent, request->length - connection->sent,
                            MSG_NOSIGNAL);
        if (sent < 0) {
            watch(connection, EPOLL_CTL_MOD, errno == EAGAIN);
            return;
        }
        connection->sent += sent;
    }
    if (connection->is_connecting) {
        connection->is_connecting = 0;
        watch(connection, EPOLL_CTL_MOD, 0);
    }
}

static void retire(struct connection *connection) {
    close(connection->fd);
    connection->fd = -1;
    active--;
}

static void begin(struct connection *connection) {
    int64_t now = now_ns();
    if (options.each ? connection->requests >= options.each : now >= stop_ns) {
        retire(connection);
        return;
    }
    connection->sent = connection->head_done = connection->tail_length = connection->line_length = 0;
    connection->head.length = 0;
    connection->status = connection->newlines = connection->mark_state = 0;
    connection->events = connection->stamps = connection->first_event_ns = 0;
    connection->started_ns = now;
    if (connection->fd < 0 || !connection->keep_alive)
        connect_anew(connection);
    else
        send_rest(connection);
}

static void finish(struct connection *connection) {
    int64_t now = connection->read_ns;
    answers++;
    connection->requests++;
    connection->reused = 1;
    connection->tail[connection->tail_length] = 0;
    if (connection->status != 200)
        note_error(connection, "an answer that is not 200");
    else if (*options.ending && !memmem(connection->tail, connection->tail_length, options.ending,
                                        strlen(options.ending)))
        note_error(connection, "a body without its ending");
    else if (connection->started_ns >= counted_from_ns && (options.each || now <= stop_ns)) {
        requests++;
        add_sample(&latency, now - connection->started_ns);
        if (connection->first_event_ns)
            add_sample(&first_event, connection->first_event_ns - connection->started_ns);
        last_end_ns = now;
    }
    if (connection->status == 200 && connection->events) {
        streams++;
        if (usual_events < 0) {
            usual_events = connection->events;
            usual_stamps = connection->stamps;
        }
        odd_streams += usual_events != connection->events || usual_stamps != connection->stamps;
    }
    begin(connection);
}

static void take_body(struct connection *connection, const char *data, size_t length) {
    int counts = connection->read_ns >= counted_from_ns && (options.each || connection->read_ns <= stop_ns);
    if (counts)
        body_bytes += length;
    for (const char *at = data, *end = data + length; at < end; at++) {
        char byte = *at;
        if (connection->mark_state >= 2) {
            if (isdigit((unsigned char)byte)) {
                connection->digits[connection->mark_state++ - 2] = byte;
                if (connection->mark_state == 18) {
                    int64_t written = 0;
                    for (int digit = 0; digit < 16; digit++)
                        written = written * 10 + connection->digits[digit] - '0';
                    connection->stamps++;
                    connection->mark_state = 0;
                    if (counts) {
                        stamps++;
                        add_sample(&delay, connection->read_ns - written);
                    }
                }
            } else {
                connection->mark_state = 0;
            }
        } else {
            connection->mark_state = byte == '~' ? 1 : connection->mark_state == 1 && byte == 't' ? 2 : 0;
        }
        if (byte == '\n') {
            if (++connection->newlines == 2) {
                connection->events++;
                events += counts;
                if (!connection->first_event_ns)
                    connection->first_event_ns = connection->read_ns;
            }
        } else if (byte != '\r') {
            connection->newlines = 0;
        }
    }
    size_t kept = length > TAIL ? TAIL : length;
    if (connection->tail_length + kept >= sizeof connection->tail) {
        memmove(connection->tail, connection->tail + connection->tail_length - TAIL / 2, TAIL / 2);
        connection->tail_length = TAIL / 2;
    }
    memcpy(connection->tail + connection->tail_length, data + length - kept, kept);
    connection->tail_length += kept;
}

/* Take a line of the chunked framing; return how many bytes of `data` belong to it. */
static size_t take_line(struct connection *connection, const char *data, size_t length) {
    const char *end = memchr(data, '\n', length);
    size_t count = end ? (size_t)(end - data) + 1 : length;
    for (size_t number = 0; number < count && connection->line_length < sizeof connection->line - 1; number++)
        connection->line[connection->line_length++] = data[number];
    if (!end)
        return count;
    connection->line[connection->line_length] = 0;
    int is_empty = connection->line[0] == '\r' || connection->line[0] == '\n';
    connection->line_length = 0;
    switch (connection->part) {
    case CHUNK_SIZE:
        connection->left = strtoull(connection->line, NULL, 16);
        connection->part = connection->left ? CHUNK_DATA : CHUNK_TRAILER;
        break;
    case CHUNK_TRAILER:
        if (is_empty)
            connection->head_done = 2;
        break;
    default:
        connection->part = CHUNK_SIZE;
    }
    return count;
}

static void read_head(struct connection *connection, size_t length) {
    char *head = connection->head.data;
    const char *value;
    connection->head_done = 1;
    connection->status = atoi(head + 9);
    value = header(head, length, "connection:");
    connection->keep_alive = !value || strncasecmp(value, "close", 5);
    if ((value = header(head, length, "transfer-encoding:")) && !strncasecmp(value, "chunked", 7)) {
        connection->framing = CHUNKED;
        connection->part = CHUNK_SIZE;
    } else if ((value = header(head, length, "content-length:"))) {
        connection->framing = BY_LENGTH;
        connection->left = strtoull(value, NULL, 10);
        if (!connection->left)
            connection->head_done = 2;
    } else {
        connection->framing = UNTIL_CLOSE;
        connection->keep_alive = 0;
    }
}

static void take_bytes(struct connection *connection, const char *data, size_t length) {
    if (!connection->head_done) {
        append(&connection->head, data, length);
        char *end = memmem(connection->head.data, connection->head.length, "\r\n\r\n", 4);
        if (!end)
            return;
        size_t head_length = end - connection->head.data + 4;
        read_head(connection, head_length);
        data = connection->head.data + head_length;
        length = connection->head.length - head_length;
    }
    while (length && connection->head_done == 1) {
        size_t count;
        if (connection->framing == CHUNKED && connection->part != CHUNK_DATA) {
            count = take_line(connection, data, length);
        } else {
            count = connection->framing != UNTIL_CLOSE && connection->left < length ? connection->left : length;
            take_body(connection, data, count);
            connection->left -= count;
            if (connection->framing == CHUNKED && !connection->left)
                connection->part = CHUNK_END;
            else if (connection->framing == BY_LENGTH && !connection->left)
                connection->head_done = 2;
        }
        data += count;
        length -= count;
    }
    if (connection->head_done == 2)
        finish(connection);
}

static void take_end(struct connection *connection) {
    int64_t started_ns = connection->started_ns;
    connection->keep_alive = 0;
    if (connection->head_done && connection->framing == UNTIL_CLOSE) {
        finish(connection);
    } else if (connection->reused && !connection->head.length) {
        /* The server closed it as idle just when the request was sent. */
        reconnects++;
        begin(connection);
        connection->started_ns = started_ns;
    } else {
        note_error(connection, connection->head_done ? "a body that was cut off" : "no answer");
        connection->requests++;
        if (errors > 1000)
            retire(connection);
        else
            begin(connection);
    }
}

static void read_answer(struct connection *connection) {
    static char buffer[262144];
    ssize_t got = recv(connection->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    connection->read_ns = now_ns();
    if (got > 0)
        take_bytes(connection, buffer, got);
    else
        take_end(connection);
}

static struct bytes *read_request(const char *name) {
    FILE *file = fopen(name, "rb");
    struct bytes *request = calloc(1, sizeof *request);
    size_t got;
    if (!file)
        fail(name);
    while ((got = fread(room(request, 65536), 1, 65536, file)) > 0)
        request->length += got;
    fclose(file);
    return request;
}

static void print_result(void) {
    double seconds = (options.each ? last_end_ns - counted_from_ns : stop_ns - counted_from_ns) / 1e9;
    printf("{\"answers\": %ld, \"requests\": %ld, \"errors\": %ld, \"seconds\": %.6f, \"rps\": %.3f, \"streams\": %ld, "
           "\"odd_streams\": %ld, \"events\": %ld, \"events_per_s\": %.3f, \"events_each\": %ld, "
           "\"stamps\": %ld, \"stamps_each\": %ld, \"reconnects\": %ld, \"body_bytes\": %lld",
           answers, requests, errors, seconds, seconds > 0 ? requests / seconds : 0, streams, odd_streams, events,
           seconds > 0 ? events / seconds : 0, usual_events, stamps, usual_stamps, reconnects, (long long)body_bytes);
    print_percentiles("latency_ms", &latency);
    print_percentiles("first_event_ms", &first_event);
    print_percentiles("delay_ms", &delay);
    printf(", \"first_error\": ");
    print_text(first_error);
    printf("}\n");
}

int main(int count, char **arguments) {
    static const struct option known[] = {
        {"port", 1, 0, 'p'},    {"connections", 1, 0, 'c'}, {"seconds", 1, 0, 's'}, {"each", 1, 0, 'e'},
        {"warm-up", 1, 0, 'w'}, {"ramp-ms", 1, 0, 'r'},     {"ending", 1, 0, 'g'},  {"timeout-s", 1, 0, 't'},
        {0, 0, 0, 0}};
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'c': options.connections = atoi(optarg); break;
        case 's': options.seconds = atof(optarg); break;
        case 'e': options.each = atoi(optarg); break;
        case 'w': options.warm_up = atof(optarg); break;
        case 'r': options.ramp_ms = atof(optarg); break;
        case 'g': options.ending = optarg; break;
        case 't': options.timeout_s = atof(optarg); break;
        default: return 2;
        }
    }
    int request_count = count - optind;
    if (!options.port || !request_count || (!options.seconds && !options.each)) {
        fprintf(stderr, "usage: load --port N --connections N (--seconds S | --each N) REQUEST...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    loop_fd = epoll_create1(0);
    struct bytes **files = calloc(request_count, sizeof *files);
    for (int number = 0; number < request_count; number++)
        files[number] = read_request(arguments[optind + number]);
    struct connection *all = calloc(options.connections, sizeof *all);
    begun_ns = now_ns();
    counted_from_ns = begun_ns + (int64_t)(options.warm_up * 1e9);
    stop_ns = counted_from_ns + (int64_t)(options.seconds * 1e9);
    int64_t give_up_ns = stop_ns + (int64_t)(options.timeout_s * 1e9);
    active = options.connections;
    int begun = 0;
    struct epoll_event ready[256];
    while (active > 0 && now_ns() < give_up_ns) {
        /* The ramp spreads the first requests, so that paced streams do not all speak in one instant. */
        while (begun < options.connections &&
               (!options.ramp_ms || now_ns() - begun_ns >= options.ramp_ms * 1e6 * begun / options.connections)) {
            all[begun].fd = -1;
            all[begun].request = files[begun % request_count];
            begin(&all[begun++]);
        }
        int ready_count = epoll_wait(loop_fd, ready, 256, begun < options.connections ? 1 : 100);
        for (int number = 0; number < ready_count; number++) {
            struct connection *connection = ready[number].data.ptr;
            if (ready[number].events & EPOLLOUT)
                send_rest(connection);
            if (ready[number].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                read_answer(connection);
        }
    }
    if (active > 0) {
        errors += active;
        if (!*first_error)
            snprintf(first_error, sizeof first_error, "%d answers had not come when the time was up", active);
    }
    print_result();
    return 0;
}
