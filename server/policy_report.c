/* policy_report.c - lists of names, and one line for each thing that decides. */
#include "server/policy_report.h"

#define LISTED_MAX 100

static void
add(struct buf *out, struct str text)
{
	buf_add(out, text.s, text.len);
}

/* Separates the items of a list. False: the list is long enough, and ends with dots. */
static bool
begin_item(struct buf *out, size_t listed)
{
	buf_adds(out, listed == 0 ? "" : listed < LISTED_MAX ? ", " : ", ...");
	return listed < LISTED_MAX;
}

void
policy_report_agents(const struct policy_summary *summary, struct buf *out)
{
	for (size_t i = 0; i < summary->agent_count && begin_item(out, i); i++)
		add(out, summary->agents[i]);
}

static void
add_place(struct buf *out, const struct allowlist_row *row)
{
	add(out, row->channel);
	if (row->account.s != NULL) {
		buf_adds(out, "/");
		add(out, row->account);
	}
}

void
policy_report_owners(const struct policy_summary *summary, struct buf *out)
{
	size_t listed = 0;

	for (size_t i = 0; i < summary->list_count; i++) {
		const struct allowlist_row *row = &summary->lists[i];

		if (row->pin.kind != PIN_OWNER)
			continue;
		if (!begin_item(out, listed++))
			break;
		add_place(out, row);
		buf_adds(out, ":");
		add(out, row->pin.owner);
	}
}

static void
add_line(struct buf *out, const char *name, struct str value)
{
	buf_addf(out, "%s: ", name);
	add(out, value);
	buf_adds(out, "\n");
}

/* "channel telegram/work: 2 entries, no single owner" */
static void
add_list(struct buf *out, const struct allowlist_row *row)
{
	buf_adds(out, "channel ");
	add_place(out, row);
	if (row->pin.kind == PIN_OWNER) {
		buf_adds(out, ": owner ");
		add(out, row->pin.owner);
		buf_adds(out, row->pin.given ? " (given)\n" : "\n");
	} else {
		buf_addf(out, ": no single owner among %zu entr%s\n", row->pin.entries,
			 row->pin.entries == 1 ? "y" : "ies");
	}
}

void
policy_report(const struct policy_summary *summary, struct buf *out)
{
	add_line(out, "dmScope", summary->dm_scope);
	add_line(out, "scope", summary->scope);
	add_line(out, "mainKey", summary->main_key);
	buf_adds(out, "agents: ");
	policy_report_agents(summary, out);
	buf_adds(out, summary->agent_count == 0 ? "none listed\n" : "\n");
	add_line(out, "agent of keys that name none",
		 summary->owner.s != NULL ? summary->owner : STR("none: they are refused"));
	for (size_t i = 0; i < summary->list_count && i < LISTED_MAX; i++)
		add_list(out, &summary->lists[i]);
	if (summary->list_count > LISTED_MAX)
		buf_addf(out, "channels: %zu more\n", summary->list_count - LISTED_MAX);
	buf_addf(out, "bindings: %zu\n", summary->bindings);
	for (size_t i = 0; i < summary->warning_count; i++)
		add_line(out, "warning", summary->warnings[i]);
}
