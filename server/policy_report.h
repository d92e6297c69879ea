/*
 * policy_report.h - a policy in words, for the log and for --check-config.
 *
 * Here: lines and lists made of a policy's summary. Not here: what the policy means
 * (queue/policy), its JSON (calls/policy).
 */
#ifndef SERVER_POLICY_REPORT_H
#define SERVER_POLICY_REPORT_H

#include "queue/policy/summary.h"

/* Append a list in one line, without more than the first 100: "main, ops"; "telegram:123". */
void policy_report_agents(const struct policy_summary *summary, struct buf *out);
void policy_report_owners(const struct policy_summary *summary, struct buf *out);

/* Appends what the policy says in lines, and its warnings. */
void policy_report(const struct policy_summary *summary, struct buf *out);

#endif
