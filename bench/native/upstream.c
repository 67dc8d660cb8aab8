/* The providers' stand-in: one thread on epoll that answers from a file of prepared answers.
 *
 *     upstream ANSWERS [PORT]
 *
 * Prints {"port": N} once it listens on loopback (a free port where none is said), and ends with its standard input. ANSWERS, made by
 * bench/answers.py, is a list of records, each "KIND LENGTH\n" + LENGTH bytes + "\n". `path` begins an answer; `json`
 * is its body where no stream is asked for; `before`, `delta` and `after` are the events of its stream. A stream has
 * as many deltas as were last set by `POST /control?events=N&interval_us=N` (the prepared ones again and again), each
 * event in an HTTP chunk and a write of its own, all at once or one per interval. The sixteen digits after "~t" in a
 * delta are replaced by the CLOCK_MONOTONIC nanoseconds of its writing, so that a client on the same machine reads
 * how long each was under way, also through a gateway that translates.
 */
#define _GNU_SOURCE
#include "http_read.h"
#include "prepared_answers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct connection {
    int fd;
    int wants_write;
    struct bytes in, out;
    struct answer *streams; /* what is being streamed, paced, or NULL */
    size_t next_event, deltas;
    int64_t due_ns;
    struct connection *next_due;
};

static size_t deltas = 200;
static int64_t interval_ns;
static int loop_fd, timer_fd;
/* All paced streams have one interval, so that whoever comes last is due last. */
static struct connection *first_due, *last_due;

static const char STREAM_HEAD[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                                  "cache-control: no-cache\r\nrequest-id: req_bench\r\n"
                                  "transfer-encoding: chunked\r\n\r\n";

static void watch(struct connection *connection, int wants_write) {
    struct epoll_event what = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = connection};
    connection->wants_write = wants_write;
    epoll_ctl(loop_fd, EPOLL_CTL_MOD, connection->fd, &what);
}

/* Write now what the socket takes, and the rest when it takes more. A broken connection shows when it is read. */
static void send_bytes(struct connection *connection, const char *data, size_t length) {
    if (!connection->out.length) {
        ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
        if (sent == (ssize_t)length)
            return;
        if (sent < 0 && errno != EAGAIN)
            return;
        if (sent > 0) {
            data += sent;
            length -= sent;
        }
    }
    append(&connection->out, data, length);
    if (!connection->wants_write)
        watch(connection, 1);
}

static void send_text(struct connection *connection, const char *status, const char *type, const char *body,
                      size_t length) {
    char head[256];
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %zu\r\n"
                               "request-id: req_bench\r\n\r\n",
                               status, type, length);
    struct bytes whole = {0};
    append(&whole, head, head_length);
    append(&whole, body, length);
    send_bytes(connection, whole.data, whole.length);
    free(whole.data);
}

static void send_event(struct connection *connection, struct event *event, const char *head, int is_last) {
    char whole[8192];
    size_t length = 0;
    if (head) {
        length = strlen(head);
        memcpy(whole, head, length);
    }
    if (length + event->length + 5 > sizeof whole)
        fail("an event is too long");
    memcpy(whole + length, event->chunk, event->length);
    if (event->stamp) {
        char digits[32];
        snprintf(digits, sizeof digits, "%0*lld", MARK_DIGITS, (long long)now_ns());
        memcpy(whole + length + event->stamp, digits, MARK_DIGITS);
    }
    length += event->length;
    if (is_last) {
        memcpy(whole + length, "0\r\n\r\n", 5);
        length += 5;
    }
    send_bytes(connection, whole, length);
}

/* Send the next event of a stream; return whether there are more. */
static int step(struct connection *connection, struct answer *answer) {
    size_t number = connection->next_event++;
    const char *head = number == 0 ? STREAM_HEAD : NULL;
    if (number < answer->before.count) {
        send_event(connection, &answer->before.list[number], head, 0);
        return 1;
    }
    number -= answer->before.count;
    if (number < connection->deltas) {
        send_event(connection, &answer->delta.list[number % answer->delta.count], head, 0);
        return 1;
    }
    number -= connection->deltas;
    int is_last = number + 1 == answer->after.count;
    send_event(connection, &answer->after.list[number], head, is_last);
    return !is_last;
}

static void set_timer(void) {
    struct itimerspec when = {0};
    if (first_due) {
        when.it_value.tv_sec = first_due->due_ns / 1000000000;
        when.it_value.tv_nsec = first_due->due_ns % 1000000000;
    }
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void schedule(struct connection *connection) {
    connection->next_due = NULL;
    if (last_due)
        last_due->next_due = connection;
    else
        first_due = connection;
    last_due = connection;
}

static void unschedule(struct connection *connection) {
    struct connection *before = NULL;
    for (struct connection *at = first_due; at; before = at, at = at->next_due) {
        if (at != connection)
            continue;
        if (before)
            before->next_due = at->next_due;
        else
            first_due = at->next_due;
        if (last_due == at)
            last_due = before;
        return;
    }
}

static void run_due(void) {
    while (first_due && first_due->due_ns <= now_ns()) {
        struct connection *connection = first_due;
        first_due = connection->next_due;
        if (!first_due)
            last_due = NULL;
        struct answer *answer = connection->streams;
        int more = step(connection, answer);
        /* What frames the text comes at once; only deltas are paced. */
        while (more && connection->next_event >= answer->before.count + connection->deltas)
            more = step(connection, answer);
        if (more) {
            connection->due_ns += interval_ns;
            schedule(connection);
        } else {
            connection->streams = NULL;
        }
    }
    set_timer();
}

static void start_stream(struct connection *connection, struct answer *answer) {
    connection->next_event = 0;
    connection->deltas = deltas;
    if (!interval_ns) {
        while (step(connection, answer))
            ;
        return;
    }
    for (size_t number = 0; number < answer->before.count; number++)
        step(connection, answer);
    connection->streams = answer;
    connection->due_ns = now_ns() + interval_ns;
    schedule(connection);
    if (first_due == connection)
        set_timer();
}

static int asks_for_stream(const char *body, size_t length) {
    const char *end = body + length, *at = body;
    while ((at = memmem(at, end - at, "\"stream\"", 8))) {
        at += 8;
        while (at < end && (isspace((unsigned char)*at) || *at == ':'))
            at++;
        if (end - at >= 4 && !memcmp(at, "true", 4))
            return 1;
    }
    return 0;
}

static void respond(struct connection *connection, const char *head, const char *body, size_t length) {
    const char *path = strchr(head, ' ') + 1;
    size_t path_length = strcspn(path, " ?\r");
    if (!strncmp(path, "/control?", 9)) {
        long long events, interval_us;
        if (sscanf(path, "/control?events=%lld&interval_us=%lld", &events, &interval_us) == 2) {
            deltas = events;
            interval_ns = interval_us * 1000;
            send_text(connection, "200 OK", "application/json", "{}", 2);
            return;
        }
    }
    for (size_t number = 0; number < answer_count; number++) {
        struct answer *answer = &answers[number];
        if (strlen(answer->path) != path_length || memcmp(answer->path, path, path_length))
            continue;
        if (answer->delta.count && asks_for_stream(body, length))
            start_stream(connection, answer);
        else
            send_text(connection, "200 OK", "application/json", answer->json.data, answer->json.length);
        return;
    }
    send_text(connection, "404 Not Found", "application/json", "{}", 2);
}

/* Answer each whole request that has come. */
static void take_requests(struct connection *connection) {
    struct bytes *in = &connection->in;
    while (in->length) {
        char *end = memmem(in->data, in->length, "\r\n\r\n", 4);
        if (!end)
            return;
        size_t head = end - in->data + 4;
        const char *length_text = header(in->data, head, "content-length:");
        const char *encoding = header(in->data, head, "transfer-encoding:");
        size_t body;
        if (encoding && !strncasecmp(encoding, "chunked", 7)) {
            /* Nobody sends a second request before the answer to the first. */
            if (in->length < head + 5 || memcmp(in->data + in->length - 5, "0\r\n\r\n", 5))
                return;
            body = in->length - head;
        } else {
            body = length_text ? strtoull(length_text, NULL, 10) : 0;
            if (in->length < head + body) {
                room(in, head + body - in->length);
                return;
            }
        }
        respond(connection, in->data, in->data + head, body);
        drop_front(in, head + body);
    }
}

static void close_connection(struct connection *connection) {
    if (connection->streams)
        unschedule(connection);
    close(connection->fd);
    free(connection->in.data);
    free(connection->out.data);
    free(connection);
}

static int read_some(struct connection *connection) {
    char *into = room(&connection->in, 65536);
    ssize_t got = recv(connection->fd, into, connection->in.capacity - connection->in.length, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        return 0;
    if (got > 0) {
        connection->in.length += got;
        take_requests(connection);
    }
    return 1;
}

static void write_rest(struct connection *connection) {
    ssize_t sent = send(connection->fd, connection->out.data, connection->out.length, MSG_NOSIGNAL);
    if (sent > 0)
        drop_front(&connection->out, sent);
    if (!connection->out.length)
        watch(connection, 0);
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct connection *connection = calloc(1, sizeof *connection);
        connection->fd = fd;
        struct epoll_event what = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(loop_fd, EPOLL_CTL_ADD, fd, &what);
    }
}

static int listening(int port) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096))
        fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int count, char **arguments) {
    if (count != 2 && count != 3) {
        fprintf(stderr, "usage: upstream ANSWERS [PORT]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    read_answers(arguments[1]);
    loop_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    int listener = listening(count == 3 ? atoi(arguments[2]) : 0), input = 0, *special[] = {&listener, &timer_fd, &input};
    for (size_t number = 0; number < 3; number++) {
        struct epoll_event what = {.events = EPOLLIN, .data.ptr = special[number]};
        epoll_ctl(loop_fd, EPOLL_CTL_ADD, *special[number], &what);
    }
    struct epoll_event ready[256];
    for (;;) {
        int ready_count = epoll_wait(loop_fd, ready, 256, -1);
        for (int number = 0; number < ready_count; number++) {
            void *who = ready[number].data.ptr;
            char text[64];
            if (who == &listener) {
                accept_all(listener);
            } else if (who == &timer_fd) {
                if (read(timer_fd, text, 8) == 8)
                    run_due();
            } else if (who == &input) {
                if (read(0, text, sizeof text) <= 0)
                    return 0;
            } else {
                struct connection *connection = who;
                if (ready[number].events & EPOLLOUT)
                    write_rest(connection);
                if (ready[number].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !read_some(connection))
                    close_connection(connection);
            }
        }
    }
}
