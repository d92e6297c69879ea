/*
 * hooks.h - OpenClaw's own webhook, so that existing senders only change the host.
 *
 * Here: its path, and the shape of its refusals. Not here: statuses (problem), who may call
 * (admission, throttle).
 */
#ifndef SERVER_CALLS_HOOKS_H
#define SERVER_CALLS_HOOKS_H

#include "server/http/request.h"

#define HOOKS_PATH "/hooks" /* all of OpenClaw's webhooks are below it */
#define HOOK_PATH "/hooks/wake"

/* Refusals below HOOKS_PATH are {"ok":false,"error":"..."}, whoever refuses. */
extern const struct webhook hooks_webhook;

/* Explains a webhook of OpenClaw's that is not served here; NULL for any other path. */
const char *hooks_explain(struct str path);

#endif
