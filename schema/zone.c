/*
 * zone.c - time zones by their names, and times written in them.
 *
 * libc knows one zone at a time, the process's, so entering a zone sets TZ and leaving it restores
 * TZ. Most short names that ICU prints are the database's abbreviations; the table `names` lists
 * them, and where ICU differs.
 */
#include "schema/zone.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ECMAScript: 100 million days on either side of 1970 */
#define TIME_MAX_MS INT64_C(8640000000000000)

/* --- which zone a name means --- */

/* Entries of the database's directory that ICU does not know as zones. */
static const char *const not_zones[] = { "Factory", "localtime", "posix", "posixrules", "right" };

/*
 * Three-letter names that ICU still accepts from early Java. EST, MST and HST are missing here
 * because the database has them.
 */
static const struct {
	struct str alias, name;
} aliases[] = {
	{ STR_INIT("ACT"), STR_INIT("Australia/Darwin") },
	{ STR_INIT("AET"), STR_INIT("Australia/Sydney") },
	{ STR_INIT("AGT"), STR_INIT("America/Argentina/Buenos_Aires") },
	{ STR_INIT("ART"), STR_INIT("Africa/Cairo") },
	{ STR_INIT("AST"), STR_INIT("America/Anchorage") },
	{ STR_INIT("BET"), STR_INIT("America/Sao_Paulo") },
	{ STR_INIT("BST"), STR_INIT("Asia/Dhaka") },
	{ STR_INIT("CAT"), STR_INIT("Africa/Maputo") },
	{ STR_INIT("CNT"), STR_INIT("America/St_Johns") },
	{ STR_INIT("CST"), STR_INIT("America/Chicago") },
	{ STR_INIT("CTT"), STR_INIT("Asia/Shanghai") },
	{ STR_INIT("EAT"), STR_INIT("Africa/Nairobi") },
	{ STR_INIT("ECT"), STR_INIT("Europe/Paris") },
	{ STR_INIT("IET"), STR_INIT("America/Indiana/Indianapolis") },
	{ STR_INIT("IST"), STR_INIT("Asia/Kolkata") },
	{ STR_INIT("JST"), STR_INIT("Asia/Tokyo") },
	{ STR_INIT("MIT"), STR_INIT("Pacific/Apia") },
	{ STR_INIT("NET"), STR_INIT("Asia/Yerevan") },
	{ STR_INIT("NST"), STR_INIT("Pacific/Auckland") },
	{ STR_INIT("PLT"), STR_INIT("Asia/Karachi") },
	{ STR_INIT("PNT"), STR_INIT("America/Phoenix") },
	{ STR_INIT("PRT"), STR_INIT("America/Puerto_Rico") },
	{ STR_INIT("PST"), STR_INIT("America/Los_Angeles") },
	{ STR_INIT("SST"), STR_INIT("Pacific/Guadalcanal") },
	{ STR_INIT("VST"), STR_INIT("Asia/Ho_Chi_Minh") },
};

/* Zone names are ASCII, so the case of other letters does not matter. */
static bool
is_called(struct str s, const char *name)
{
	return s.len == strlen(name) && strncasecmp(s.s, name, s.len) == 0;
}

static struct str
without_alias(struct str name)
{
	for (size_t i = 0; i < COUNT(aliases); i++)
		if (is_called(name, aliases[i].alias.s))
			return aliases[i].name;
	return name;
}

/*
 * Corrects the case of one part of the path, which has a slash before it, to that of the
 * directory's entry; false if there is no such entry.
 */
static bool
spell(char *path, struct str part)
{
	char *at = path + (part.s - path);
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	at[-1] = '\0';
	dir = opendir(path);
	at[-1] = '/';
	if (dir == NULL)
		return false;
	while (!found && (entry = readdir(dir)) != NULL) {
		found = entry->d_name[0] != '.' && is_called(part, entry->d_name);
		if (found)
			memcpy(at, entry->d_name, part.len);
	}
	closedir(dir);
	return found;
}

/* The same for every part of the name at the end of the path. */
static bool
spell_all(char *path, char *name)
{
	for (size_t i = 0; i < COUNT(not_zones); i++)
		if (is_called((struct str){ name, strcspn(name, "/") }, not_zones[i]))
			return false;
	do {
		struct str part = { name, strcspn(name, "/") };

		if (!spell(path, part))
			return false;
		name += part.len + 1;
	} while (name[-1] != '\0');
	return true;
}

static bool
is_zone_file(const char *path)
{
	char magic[4] = "";
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return false;
	if (fread(magic, sizeof(magic), 1, file) != 1)
		magic[0] = '\0';
	fclose(file);
	return memcmp(magic, "TZif", sizeof(magic)) == 0;
}

/* The directory in which libc looks. */
static const char *
database_dir(void)
{
	const char *dir = getenv("TZDIR");

	return dir != NULL && dir[0] != '\0' ? dir : "/usr/share/zoneinfo";
}

/* The path of the zone's file, and in it its name (*ret_name); NULL if there is no such zone. */
static const char *
find_file(struct arena *arena, struct str zone, const char **ret_name)
{
	const char *dir = database_dir();
	size_t dir_len = strlen(dir);
	char *path;

	zone = without_alias(zone);
	path = arena_alloc(arena, dir_len + 1 + zone.len + 1);
	memcpy(path, dir, dir_len);
	path[dir_len] = '/';
	memcpy(path + dir_len + 1, zone.s, zone.len);
	if (!spell_all(path, path + dir_len + 1) || !is_zone_file(path))
		return NULL;
	*ret_name = path + dir_len + 1;
	return path;
}

/* --- entering and leaving --- */

static void
set_tz(const char *tz)
{
	int failed = tz != NULL ? setenv("TZ", tz, 1) : unsetenv("TZ");

	assert(!failed);
	tzset();
}

void
zone_enter(struct zone *zone, struct arena *arena, struct str name)
{
	struct str trimmed = text_trim(name), host = arena_dup(arena, str_of(getenv("TZ")));
	const char *file = NULL;

	*zone = (struct zone){ .name = host.s != NULL ? host.s : "", .host = host.s };
	zone->utc = is_called(trimmed, "utc") || is_called(trimmed, "gmt");
	if (!zone->utc && trimmed.len > 0)
		file = find_file(arena, trimmed, &zone->name);
	zone->moved = file != NULL;
	if (zone->moved)
		set_tz(file);
	else
		tzset(); /* localtime_r does not look at TZ by itself */
}

void
zone_leave(struct zone *zone)
{
	if (zone->moved)
		set_tz(zone->host);
	zone->moved = false;
}

/*
 * The short name that ICU prints for an abbreviation of the database; NULL: the offset. The first
 * row that matches counts. The offset tells Chicago's CST from those of Havana and Shanghai.
 */
static const struct {
	const char *zone; /* NULL: any */
	const char *abbreviation;
	int offset_min;
	const char *name;
} names[] = {
	{ "America/Adak", "HST", -600, "HAST" },
	{ "America/Atka", "HST", -600, "HAST" },
	{ "US/Aleutian", "HST", -600, "HAST" },
	{ "America/Hermosillo", "MST", -420, NULL },
	{ "America/Mazatlan", "MST", -420, NULL },
	{ "Mexico/BajaSur", "MST", -420, NULL },
	{ "America/Dawson", "MST", -420, NULL },
	{ "America/Whitehorse", "MST", -420, NULL },
	{ "Canada/Yukon", "MST", -420, NULL },
	{ "Antarctica/Troll", "+00", 0, "GMT" },
	{ "Etc/GMT", "GMT", 0, "UTC" },
	{ "GMT+0", "GMT", 0, "UTC" },
	{ "GMT-0", "GMT", 0, "UTC" },
	{ "GMT0", "GMT", 0, "UTC" },
	{ NULL, "UTC", 0, "UTC" },
	{ NULL, "GMT", 0, "GMT" },
	{ NULL, "AST", -240, "AST" },
	{ NULL, "ADT", -180, "ADT" },
	{ NULL, "EST", -300, "EST" },
	{ NULL, "EDT", -240, "EDT" },
	{ NULL, "CST", -360, "CST" },
	{ NULL, "CDT", -300, "CDT" },
	{ NULL, "MST", -420, "MST" },
	{ NULL, "MDT", -360, "MDT" },
	{ NULL, "PST", -480, "PST" },
	{ NULL, "PDT", -420, "PDT" },
	{ NULL, "AKST", -540, "AKST" },
	{ NULL, "AKDT", -480, "AKDT" },
	{ NULL, "HST", -600, "HST" },
	{ NULL, "HDT", -540, "HADT" },
};

static const char *
short_name(const struct zone *zone, const struct tm *tm)
{
	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(names[i].abbreviation, tm->tm_zone) == 0 &&
		    names[i].offset_min * 60L == tm->tm_gmtoff &&
		    (names[i].zone == NULL || strcmp(names[i].zone, zone->name) == 0))
			return names[i].name;
	return NULL;
}

/*
 * Writes "GMT+1", "GMT-3:30", or "GMT+0" for a zone without an offset that is not called GMT.
 */
static void
write_offset(struct buf *out, long offset)
{
	long behind_hour = labs(offset) % 3600;

	buf_addf(out, "GMT%c%ld", offset < 0 ? '-' : '+', labs(offset) / 3600);
	if (behind_hour != 0)
		buf_addf(out, ":%02ld", behind_hour / 60);
	if (behind_hour % 60 != 0)
		buf_addf(out, ":%02ld", behind_hour % 60);
}

static void
write_time(struct buf *out, const struct tm *tm, char between)
{
	buf_addf(out, "%04d-%02d-%02d%c%02d:%02d:%02d", tm->tm_year + 1900, tm->tm_mon + 1,
		 tm->tm_mday, between, tm->tm_hour, tm->tm_min, tm->tm_sec);
}

void
zone_write(const struct zone *zone, struct buf *out, int64_t ts_ms)
{
	time_t seconds = ts_ms / 1000 - (ts_ms % 1000 < 0);
	const char *name;
	struct tm tm;

	if (ts_ms < -TIME_MAX_MS || ts_ms > TIME_MAX_MS) {
		buf_adds(out, "unknown-time");
		return;
	}
	if (zone->utc) {
		write_time(out, gmtime_r(&seconds, &tm), 'T');
		buf_adds(out, "Z");
		return;
	}
	write_time(out, localtime_r(&seconds, &tm), ' ');
	buf_adds(out, " ");
	name = short_name(zone, &tm);
	if (name != NULL)
		buf_adds(out, name);
	else
		write_offset(out, tm.tm_gmtoff);
}
