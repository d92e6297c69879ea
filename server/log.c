/*
 * log.c - records on standard error, one write each, so that lines of several processes do not mix.
 *
 * The level and the format are the only state of the whole server that is global: everything may
 * have something to say.
 */
#include "server/log.h"

#include <stdint.h>
#include <time.h>

#include <unistd.h>

#include "queue/clock.h"
#include "schema/characters.h"
#include "schema/text.h"

#define LOG_TEXT_BYTES_MAX 1024

static struct {
	enum log_level level;
	bool json;
} settings = { LOG_INFO, true };

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void
log_configure(enum log_level level, enum log_format format)
{
	settings.level = level;
	settings.json = format == LOG_AUTO ? !isatty(STDERR_FILENO) : format == LOG_JSON;
}

bool
log_enabled(enum log_level level)
{
	return level >= settings.level;
}

/* The character at s and its length in bytes; an invalid byte counts as one U+FFFD. */
static size_t
decode(const char *s, size_t len, uint32_t *ret)
{
	unsigned char lead = (unsigned char)*s;
	size_t bytes = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	*ret = 0xfffd;
	if (lead == 0)
		*ret = 0; /* valid here, though not in the API's text */
	else if (bytes <= len && text_is_utf8(s, bytes)) {
		*ret = bytes == 1 ? lead : lead & (0x7fu >> bytes);
		for (size_t i = 1; i < bytes; i++)
			*ret = *ret << 6 | ((unsigned char)s[i] & 0x3f);
		return bytes;
	}
	return 1;
}

static void
add_escaped(struct buf *out, uint32_t c)
{
	if (c > 0xffff) {
		c -= 0x10000;
		buf_addf(out, "\\u%04x\\u%04x", 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
	} else
		buf_addf(out, "\\u%04x", c);
}

void
log_quote(struct buf *out, struct str s)
{
	size_t i = 0, bytes;
	uint32_t c;

	buf_add(out, "\"", 1);
	for (; i < s.len && i < LOG_TEXT_BYTES_MAX; i += bytes) {
		bytes = decode(s.s + i, s.len - i, &c);
		if (c == '"' || c == '\\')
			buf_add(out, (char[]){ '\\', (char)c }, 2);
		else if (character_is_unseen(c) || c == 0xfffd)
			add_escaped(out, c);
		else
			buf_add(out, s.s + i, bytes);
	}
	if (i < s.len)
		buf_adds(out, "...");
	buf_add(out, "\"", 1);
}

static void
add_time(struct buf *out)
{
	const int64_t now_ms = clock_now().wall_ms;
	const time_t now = now_ms / 1000;
	struct tm tm;
	char text[40];

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(out, "%s.%03dZ", text, (int)(now_ms % 1000));
}

static void
add_value(struct buf *out, const struct log_field *field)
{
	if (field->text.s != NULL)
		log_quote(out, field->text);
	else
		buf_add_int(out, field->number);
}

static void
add_json(struct buf *out, enum log_level level, const struct log_field *fields, size_t count)
{
	buf_adds(out, "{\"ts\":\"");
	add_time(out);
	buf_addf(out, "\",\"level\":\"%s\"", level_names[level]);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].name == NULL)
			continue;
		buf_addf(out, ",\"%s\":", fields[i].name);
		add_value(out, &fields[i]);
	}
	buf_adds(out, "}\n");
}

static void
add_text(struct buf *out, enum log_level level, const struct log_field *fields, size_t count)
{
	add_time(out);
	buf_addf(out, " %-5s", level_names[level]);
	for (size_t i = 0; i < count; i++) {
		if (fields[i].name == NULL)
			continue;
		if (strcmp(fields[i].name, "msg") == 0) {
			buf_addf(out, " %.*s", (int)fields[i].text.len, fields[i].text.s);
			continue;
		}
		buf_addf(out, " %s=", fields[i].name);
		add_value(out, &fields[i]);
	}
	buf_adds(out, "\n");
}

void
log_write(enum log_level level, const struct log_field *fields, size_t count)
{
	struct buf line = { 0 };
	ssize_t written;

	if (!log_enabled(level))
		return;
	(settings.json ? add_json : add_text)(&line, level, fields, count);
	written = write(STDERR_FILENO, line.data, line.len);
	(void)written; /* nowhere to say that there is nowhere to say it */
	buf_clear(&line);
}

void
log_failure(enum log_level level, const char *msg, const struct error *err)
{
	log_line(level, log_msg(msg), log_text("code", error_code_name(err->code)),
		 log_text("detail", err->detail),
		 log_number(err->line > 0 ? "line" : NULL, err->line),
		 log_number(err->line > 0 ? "column" : NULL, err->column));
}
