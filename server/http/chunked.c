/*
 * chunked.c - one state for each place in the grammar of the chunked coding.
 *
 *     chunk      = 1*HEXDIG *( BWS ";" BWS name [ BWS "=" BWS value ] ) CRLF data CRLF
 *     last chunk = 1*"0" ...                                            CRLF *( trailer CRLF ) CRLF
 *
 * Every line ends with CR LF. White space stands only where the grammar has it, so none follows a
 * size or an extension at the end of its line.
 */
#include "server/http/chunked.h"

#include <assert.h>
#include <string.h>

#include "schema/str.h"

enum state {
	SIZE, /* the first digit */
	SIZE_MORE,
	EXTENSION, /* white space behind a size, a name or a value: a ";" follows */
	NAME,      /* white space, then the first letter of an extension's name */
	NAME_MORE,
	EQUALS, /* white space behind a name: "=" or ";" follows */
	VALUE,  /* white space, then a token or a quoted string */
	VALUE_MORE,
	QUOTED,
	QUOTED_PAIR,
	VALUE_ENDED, /* behind a quoted string */
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER, /* the first letter of a trailer's name, or the line end that ends the body */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
	END
};

/* For one byte: the state that follows, or -1. */
typedef int reader(struct chunked *c, unsigned char byte);

static bool
is_blank(unsigned char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool
is_token(unsigned char byte)
{
	return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
	       (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* Of a quoted string, of its pairs, and of a trailer's value. */
static bool
is_text(unsigned char byte)
{
	return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static int
expect(unsigned char byte, unsigned char wanted, enum state next)
{
	return byte == wanted ? (int)next : -1;
}

static int
hex(unsigned char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static int
digit(struct chunked *c, unsigned char byte)
{
	int value = hex(byte);

	if (value < 0 || c->left > UINT64_MAX >> 4)
		return -1;
	c->left = c->left << 4 | (uint64_t)value;
	return SIZE_MORE;
}

/* The next state, where a size, an extension's name or its value may end; -1: it may not. */
static int
extension_end(unsigned char byte)
{
	if (byte == '\r')
		return SIZE_LF;
	if (byte == ';')
		return NAME;
	return is_blank(byte) ? (int)EXTENSION : -1;
}

static int
read_size(struct chunked *c, unsigned char byte)
{
	return c->state == SIZE || hex(byte) >= 0 ? digit(c, byte) : extension_end(byte);
}

static int
read_name(struct chunked *c, unsigned char byte)
{
	if (is_token(byte))
		return NAME_MORE;
	if (c->state == NAME)
		return is_blank(byte) ? (int)NAME : -1;
	if (byte == '=')
		return VALUE;
	return is_blank(byte) ? (int)EQUALS : extension_end(byte);
}

static int
read_equals(struct chunked *c, unsigned char byte)
{
	if (is_blank(byte))
		return c->state;
	if (byte == '=' && c->state == EQUALS)
		return VALUE;
	return expect(byte, ';', NAME);
}

static int
read_value(struct chunked *c, unsigned char byte)
{
	if (is_token(byte))
		return VALUE_MORE;
	if (c->state == VALUE_MORE)
		return extension_end(byte);
	if (byte == '"')
		return QUOTED;
	return is_blank(byte) ? (int)VALUE : -1;
}

static int
read_quoted(struct chunked *c, unsigned char byte)
{
	if (c->state == VALUE_ENDED)
		return extension_end(byte);
	if (!is_text(byte))
		return -1;
	if (c->state == QUOTED && byte == '\\')
		return QUOTED_PAIR;
	return c->state == QUOTED && byte == '"' ? VALUE_ENDED : QUOTED;
}

static int
read_line_end(struct chunked *c, unsigned char byte)
{
	switch (c->state) {
	case SIZE_LF:
		return expect(byte, '\n', c->left > 0 ? DATA : TRAILER);
	case DATA_CR:
		return expect(byte, '\r', DATA_LF);
	case DATA_LF:
		return expect(byte, '\n', SIZE);
	case TRAILER_LF:
		return expect(byte, '\n', TRAILER);
	default:
		return expect(byte, '\n', END);
	}
}

/* RFC 9110 section 6.5.1: what frames the message cannot come after it. */
static bool
frames(const struct chunked *c)
{
	struct str name = { c->name, c->name_len };

	return str_eq(name, STR("content-length")) || str_eq(name, STR("transfer-encoding"));
}

static int
read_trailer(struct chunked *c, unsigned char byte)
{
	if (c->state == TRAILER) {
		c->name_len = 0;
		if (byte == '\r')
			return END_LF;
	}
	if (is_token(byte)) {
		if (c->name_len < sizeof(c->name))
			c->name[c->name_len++] =
			    (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
		return TRAILER_NAME;
	}
	return byte == ':' && c->state == TRAILER_NAME && !frames(c) ? (int)TRAILER_VALUE : -1;
}

static int
read_trailer_value(struct chunked *c, unsigned char byte)
{
	(void)c;
	if (byte == '\r')
		return TRAILER_LF;
	return is_text(byte) ? (int)TRAILER_VALUE : -1;
}

static const struct {
	reader *read;
	const char *wrong;
} states[] = {
	[SIZE] = { read_size, "a chunk's size is no hexadecimal number" },
	[SIZE_MORE] = { read_size, "a chunk's size is no hexadecimal number" },
	[EXTENSION] = { read_equals, "white space stands behind a chunk's size" },
	[NAME] = { read_name, "a chunk extension has no name" },
	[NAME_MORE] = { read_name, "a chunk extension is not NAME or NAME=VALUE" },
	[EQUALS] = { read_equals, "a chunk extension is not NAME or NAME=VALUE" },
	[VALUE] = { read_value, "a chunk extension is not NAME or NAME=VALUE" },
	[VALUE_MORE] = { read_value, "a chunk extension is not NAME or NAME=VALUE" },
	[QUOTED] = { read_quoted, "a chunk extension's string has a control character" },
	[QUOTED_PAIR] = { read_quoted, "a chunk extension's string has a control character" },
	[VALUE_ENDED] = { read_quoted, "a chunk extension is not NAME or NAME=VALUE" },
	[SIZE_LF] = { read_line_end, "the line of a chunk's size does not end with CR LF" },
	[DATA_CR] = { read_line_end, "a chunk is longer than it says" },
	[DATA_LF] = { read_line_end, "a chunk does not end with CR LF" },
	[TRAILER] = { read_trailer, "a trailer has no name, or is folded over two lines" },
	[TRAILER_NAME] = { read_trailer,
			   "a trailer's name is wrong, or says how long the body is" },
	[TRAILER_VALUE] = { read_trailer_value, "a trailer has a control character" },
	[TRAILER_LF] = { read_line_end, "a trailer does not end with CR LF" },
	[END_LF] = { read_line_end, "the body does not end with CR LF" },
};

int
chunked_read(struct chunked *chunked, char byte, struct error *err)
{
	int next;

	assert(chunked->state != DATA && chunked->state < END);
	next = states[chunked->state].read(chunked, (unsigned char)byte);
	if (next < 0)
		return error_set(err, ERROR_BAD_REQUEST, "%s", states[chunked->state].wrong);
	chunked->state = (uint8_t)next;
	return 0;
}

bool
chunked_in_data(const struct chunked *chunked)
{
	return chunked->state == DATA;
}

void
chunked_take(struct chunked *chunked, size_t len)
{
	assert(chunked->state == DATA && len <= chunked->left);
	chunked->left -= len;
	if (chunked->left == 0)
		chunked->state = DATA_CR;
}

bool
chunked_at_end(const struct chunked *chunked)
{
	return chunked->state == END;
}
