/*
 * say.c - escaping, and the few ways to print.
 */
#include "client/command/say.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "client/buffer.h"
#include "client/command/memory.h"
#include "schema/characters.h"

long
sevq_decode(const char *s, size_t *len)
{
	static const long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = (unsigned char)s[0];
	size_t n = lead < 0x80                   ? 1
		   : lead >= 0xc2 && lead < 0xe0 ? 2
		   : (lead & 0xf0) == 0xe0       ? 3
		   : lead >= 0xf0 && lead < 0xf5 ? 4
						 : 0;
	long c = n == 1 ? lead : lead & (0x7f >> n);
	size_t i;

	*len = 1;
	if (n == 0)
		return -1;
	for (i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	*len = n;
	return c;
}

/* Appends a character that must not be shown as it is; c < 0: a byte that is not UTF-8. */
typedef void escape(struct sevq_buffer *out, long c, unsigned char byte);

static void
escape_for_people(struct sevq_buffer *out, long c, unsigned char byte)
{
	if (c < 0)
		sevq_buffer_addf(out, "\\x{%02x}", (unsigned)byte);
	else if (c == '\n' || c == '\r' || c == '\t')
		sevq_buffer_addf(out, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
	else
		sevq_buffer_addf(out, "\\u{%lx}", (unsigned long)c);
}

/* White space between the values of JSON becomes a space, since no escape can stand there. */
static void
escape_for_json(struct sevq_buffer *out, long c, unsigned char byte)
{
	(void)byte;
	if (c == '\n' || c == '\r' || c == '\t')
		sevq_buffer_adds(out, " ");
	else if (c > 0xffff)
		sevq_buffer_addf(out, "\\u%04lx\\u%04lx",
				 0xd800 + ((unsigned long)(c - 0x10000) >> 10),
				 0xdc00 + ((unsigned long)(c - 0x10000) & 0x3ff));
	else
		sevq_buffer_addf(out, "\\u%04lx", c < 0 ? 0xfffd : (unsigned long)c);
}

static char *
escaped_by(escape *add, const char *text)
{
	struct sevq_buffer out = { 0 };
	size_t len;

	for (; *text != '\0'; text += len) {
		long c = sevq_decode(text, &len);

		if (c < 0 || character_is_unseen((uint32_t)c))
			add(&out, c, (unsigned char)*text);
		else
			sevq_buffer_add(&out, text, len);
	}
	return sevq_allocated(sevq_buffer_take(&out));
}

char *
sevq_escaped(const char *text)
{
	return escaped_by(escape_for_people, text);
}

static char *__attribute__((format(printf, 1, 0))) format_escaped(const char *fmt, va_list ap)
{
	char *text, *escaped;

	if (vasprintf(&text, fmt, ap) < 0)
		sevq_exit_out_of_memory();
	escaped = sevq_escaped(text);
	free(text);
	return escaped;
}

void
sevq_say(FILE *out, const char *fmt, ...)
{
	va_list ap;
	char *line;

	va_start(ap, fmt);
	line = format_escaped(fmt, ap);
	va_end(ap);
	fprintf(out, "%s\n", line);
	free(line);
}

void
sevq_say_pair(FILE *out, const char *word, const char *meaning)
{
	char *escaped_word = sevq_escaped(word), *escaped_meaning = sevq_escaped(meaning);

	fprintf(out, "%s\t%s\n", escaped_word, escaped_meaning);
	free(escaped_word);
	free(escaped_meaning);
}

bool
sevq_ask(const char *fmt, ...)
{
	char answer[16] = "", *question;
	va_list ap;

	va_start(ap, fmt);
	question = format_escaped(fmt, ap);
	va_end(ap);
	fputs(question, stderr);
	free(question);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		fputc('\n', stderr);
	return answer[0] == 'y' || answer[0] == 'Y';
}

void
sevq_say_json(FILE *out, const char *json)
{
	char *escaped = isatty(fileno(out)) ? escaped_by(escape_for_json, json) : NULL;

	const char *text = escaped != NULL ? escaped : json;

	size_t len = strlen(text);

	fprintf(out, "%s%s", text, len > 0 && text[len - 1] == '\n' ? "" : "\n");
	free(escaped);
}

void
sevq_say_lines(const char *lines)
{
	const char *end;

	if (lines == NULL)
		return;
	if (!isatty(STDOUT_FILENO)) {
		puts(lines);
		return;
	}
	for (; (end = strchr(lines, '\n')) != NULL; lines = end + 1)
		sevq_say(stdout, "%.*s", (int)(end - lines), lines);
	sevq_say(stdout, "%s", lines);
}
