/*
 * sevq run - a heartbeat runner for scripts: wait, lease, give the events to the command, ack or
 * give back, and again.
 *
 * What makes it safe is the order. Events are acked only after the command has ended well; whatever
 * happens before that, to the command, to this process or to the server, the lease runs out and
 * they come again. So a command may see an event more than once, and never loses one.
 *
 * Signals are held back from before the lease until after the ack, and heard at chosen places in
 * between; while we only wait, nothing is held and a signal just ends us (child.h).
 *
 * The lease call is the one that must not be made twice: with its answer lost, the events would be
 * held by nobody who knows. It carries an idempotency key, so that trying again gives the first
 * answer. An ack may be repeated as it is. A nack that is repeated after a lost answer finds the
 * lease lost, which is as good.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>

#include <unistd.h>

#include "client/command/backoff.h"
#include "client/command/child.h"
#include "client/command/command.h"
#include "client/command/table.h"
#include "client/json.h"

#define LIMIT_DEFAULT 20
#define LEASE_MS_DEFAULT 60000
#define WAIT_MS 30000 /* of one call */
#define BACKOFF_MS_DEFAULT 1000
#define BACKOFF_MAX_MS_DEFAULT (5 * 60 * 1000)
#define EXTEND_AGAIN_MS 1000 /* when the server could not be told */
#define PASSED_BY_MS 50      /* when there was something, but not for us: doubling up to */
#define PASSED_BY_MAX_MS 1000

struct runner {
	struct sevq_client *client;
	const struct sevq_options *options;
	char **command;
	char consumer[128];
	int64_t lease_ms;
	struct sevq_signals signals;
	struct sevq_backoff backoff; /* of calls */
	unsigned failures;           /* of the command, in a row */
	unsigned passed_by;          /* times in a row that there was something, but not for us */
	int stopped_by;              /* the signal that told us to stop; 0: none did */
	bool told_command;           /* and then the command too */
	enum sevq_exit result;       /* of the last round, or why we end */
	bool over;                   /* it cannot go on */
};

/* What a round holds. */
struct hold {
	struct sevq_lease *lease;
	char *json; /* the answer as it came, where the command wants it */
	/* on our clock, from before the call that got it: the lease ends no earlier */
	int64_t until_ms;
	bool lost;
};

/* The last call failed for good. */
static void
give_up(struct runner *runner)
{
	runner->result = sevq_report(runner->client);
	runner->over = true;
}

static void
note_stop(struct runner *runner, int number)
{
	if (number != 0)
		runner->stopped_by = number;
}

/*
 * Whether what failed shall be tried again; then it has waited, as long as no signal came. A second
 * signal means that nobody wants to wait for the server.
 */
static bool
try_again(struct runner *runner)
{
	int number;

	if (!sevq_backoff_may_help(runner->client)) {
		give_up(runner);
		return false;
	}
	number = sevq_signals_await(&runner->signals.stop,
				    sevq_backoff_fail(&runner->backoff, runner->client));
	if (number != 0 && runner->stopped_by != 0)
		give_up(runner);
	note_stop(runner, number);
	return !runner->over;
}

/* Sleeps while nothing is held. */
static void
rest(const struct runner *runner, int64_t ms)
{
	sevq_signals_let_go(&runner->signals);
	sevq_sleep(ms);
	sevq_signals_hold(&runner->signals);
}

/* Until there is something. Ends the process when a signal comes. */
static void
wait_for_events(struct runner *runner)
{
	struct sevq_readiness *readiness;
	enum sevq_code code;
	bool ready = false;

	while (!ready && !runner->over) {
		sevq_signals_let_go(&runner->signals);
		code = sevq_wait(runner->client, &runner->options->address, WAIT_MS, &readiness);
		sevq_signals_hold(&runner->signals);
		if (code == SEVQ_OK) {
			sevq_backoff_reset(&runner->backoff);
			ready = readiness->ready;
			sevq_free(readiness);
		} else if (sevq_backoff_may_help(runner->client)) {
			rest(runner, sevq_backoff_fail(&runner->backoff, runner->client));
		} else {
			give_up(runner);
		}
	}
}

static void
make_key(char key[33])
{
	unsigned char random[16];
	size_t i;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		perror("sevq: no random numbers");
		exit(SEVQ_EXIT_FAILED);
	}
	for (i = 0; i < sizeof(random); i++)
		snprintf(key + 2 * i, 3, "%02x", random[i]);
}

static void
say_lost(struct hold *hold, const char *why)
{
	char *key = sevq_escaped(hold->lease->session_key);

	fprintf(stderr, "sevq: lost lease %s on %s (%s): its events come again\n",
		hold->lease->lease_id, key, why);
	free(key);
	hold->lost = true;
}

/* Whether the last call found that the lease is not ours any more; then it has said so. */
static bool
found_lost(const struct runner *runner, struct hold *hold)
{
	enum sevq_code code = sevq_error_code(runner->client);

	if (code == SEVQ_CONFLICT || code == SEVQ_NOT_FOUND)
		say_lost(hold, sevq_code_name(code));
	return hold->lost;
}

/* false: it could not be done, and the lease is as it was or lost. */
static bool
extend(struct runner *runner, struct hold *hold)
{
	int64_t now_ms = sevq_now_ms();

	if (sevq_extend(runner->client, hold->lease->lease_id, NULL, 0, runner->lease_ms, NULL) !=
	    SEVQ_OK) {
		found_lost(runner, hold);
		return false;
	}
	hold->until_ms = now_ms + runner->lease_ms;
	return true;
}

/*
 * Leases events into hold; nothing there leaves it empty. An answer that came only after another
 * attempt may be as old as the first of them, so whether it still holds is asked before anything is
 * done with it.
 */
static void
lease(struct runner *runner, bool prompt, struct hold *hold)
{
	const struct sevq_options *options = runner->options;
	struct sevq_lease_options wanted;
	char key[33];

	memset(hold, 0, sizeof(*hold));
	make_key(key);
	sevq_lease_options_init(&wanted);
	wanted.limit = options->limit != 0 ? (size_t)options->limit : LIMIT_DEFAULT;
	wanted.lease_ms = runner->lease_ms;
	wanted.context_key_prefix = options->context_prefix;
	wanted.consumer = options->consumer != NULL ? options->consumer : runner->consumer;
	wanted.exclusive = options->exclusive;
	wanted.prompt = prompt;
	wanted.idempotency_key = key;
	for (;;) {
		hold->until_ms = sevq_now_ms() + runner->lease_ms;
		if (sevq_lease(runner->client, &options->address, &wanted, &hold->lease) == SEVQ_OK)
			break;
		if (options->once && sevq_code_retryable(sevq_error_code(runner->client)))
			/* nothing changed, and whoever says --once comes again by himself */
			give_up(runner);
		if (runner->over || !try_again(runner) || runner->stopped_by != 0)
			return;
	}
	if (options->json)
		hold->json = sevq_need(strdup(sevq_last_answer(runner->client, NULL)));
	if (runner->backoff.count > 0 && hold->lease->lease_id != NULL)
		extend(runner, hold);
	sevq_backoff_reset(&runner->backoff);
}

static bool
is_empty(const struct hold *hold)
{
	return hold->lease == NULL || hold->lease->lease_id == NULL || hold->lost;
}

static void
release(struct hold *hold)
{
	sevq_free(hold->lease);
	free(hold->json);
	memset(hold, 0, sizeof(*hold));
}

/* The events as JSON, in one line: the array of the server's answer. */
static void
write_json(const struct hold *hold, struct sevq_buffer *out)
{
	cJSON *root = sevq_json_parse(hold->json, strlen(hold->json));
	char *text = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(root, "events"));

	sevq_buffer_adds(out, sevq_need(text));
	sevq_buffer_adds(out, "\n");
	cJSON_free(text);
	cJSON_Delete(root);
}

/*
 * As a prompt has it, for events that a prompt leaves to others: "System: [time] line", then
 * "System: line".
 */
static void
write_plain_lines(const struct sevq_lease *lease, struct sevq_buffer *out)
{
	char time[SEVQ_TIME_BYTES];
	const char *line, *end;
	size_t i;

	for (i = 0; i < lease->count; i++) {
		sevq_buffer_addf(out, "System: [%s] ",
				 sevq_time_text(lease->events[i]->ts_ms, time));
		for (line = lease->events[i]->text; (end = strchr(line, '\n')) != NULL;
		     line = end + 1) {
			sevq_buffer_add(out, line, (size_t)(end - line));
			sevq_buffer_adds(out, "\nSystem: ");
		}
		sevq_buffer_addf(out, "%s\n", line);
	}
}

/*
 * Leases what there is and writes it for the command. A prompt leaves exec completions in the
 * queue; when nothing else is there they get a round of their own, since nobody but us may come for
 * them.
 */
static void
take_events(struct runner *runner, struct hold *hold, struct sevq_buffer *input)
{
	lease(runner, !runner->options->json, hold);
	if (runner->options->json && !is_empty(hold)) {
		write_json(hold, input);
	} else if (!is_empty(hold)) {
		if (hold->lease->block != NULL)
			sevq_buffer_addf(input, "%s\n", hold->lease->block);
	} else if (!runner->options->json && !runner->over && runner->stopped_by == 0) {
		release(hold);
		lease(runner, false, hold);
		if (!is_empty(hold))
			write_plain_lines(hold->lease, input);
	}
	sevq_need(input->failed ? NULL : input);
}

/* One signal asks us to stop after this round; the next is passed on to the command. */
static void
bear(struct runner *runner, int number, pid_t pid)
{
	if (runner->stopped_by == 0) {
		fputs("sevq: stopping when the command has ended; a second signal goes to the "
		      "command\n",
		      stderr);
	} else {
		kill(pid, number);
		runner->told_command = true;
	}
	note_stop(runner, number);
}

/* Until the command has ended; returns its status. Keeps the lease meanwhile. */
static int
watch(struct runner *runner, struct hold *hold, pid_t pid)
{
	int64_t third_ms = runner->lease_ms / 3,
		again_ms = third_ms < EXTEND_AGAIN_MS ? third_ms : EXTEND_AGAIN_MS, left_ms;
	int64_t extend_at_ms = hold->until_ms - runner->lease_ms + third_ms;
	int number, status;

	for (;;) {
		left_ms = extend_at_ms - sevq_now_ms();
		number = sevq_signals_await(&runner->signals.heard, hold->lost    ? -1
								    : left_ms > 0 ? left_ms
										  : 0);
		if (number == SIGCHLD) {
			if (waitpid(pid, &status, WNOHANG) == pid)
				return status;
		} else if (number != 0) {
			bear(runner, number, pid);
		} else if (left_ms <= 0) {
			extend_at_ms = sevq_now_ms() + (extend(runner, hold) ? third_ms : again_ms);
		}
	}
}

/* "exit 3", "signal 9" */
static void
explain(int status, char *reason, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(reason, size, "signal %d", WTERMSIG(status));
	else
		snprintf(reason, size, "exit %d", WEXITSTATUS(status));
}

/* How a round ends for its events. */
struct verdict {
	bool ack;
	struct sevq_nack_options nack;
};

/* Tells the server, until it knows or the lease has run out. */
static void
settle(struct runner *runner, struct hold *hold, const struct verdict *verdict)
{
	const char *id = hold->lease->lease_id;
	struct sevq_lease_change *change = NULL;
	enum sevq_code code;

	while (!hold->lost && !runner->over) {
		code = verdict->ack
			   ? sevq_ack(runner->client, id, NULL, 0, &change)
			   : sevq_nack(runner->client, id, NULL, 0, &verdict->nack, &change);
		if (code == SEVQ_OK)
			break;
		if (!found_lost(runner, hold) && sevq_now_ms() >= hold->until_ms)
			say_lost(hold, "the server could not be told in time");
		if (!hold->lost)
			try_again(runner);
	}
	if (change != NULL && change->dead > 0)
		fprintf(stderr, "sevq: %zu events failed too often and are dead letters now\n",
			change->dead);
	sevq_backoff_reset(&runner->backoff);
	sevq_free(change);
}

/* Gives the events back as if they had never been taken. */
static void
give_back(struct runner *runner, struct hold *hold, const char *reason)
{
	struct verdict verdict = { .ack = false };

	sevq_nack_options_init(&verdict.nack);
	verdict.nack.reason = reason;
	verdict.nack.do_not_count = true;
	settle(runner, hold, &verdict);
}

/* The verdict on a round whose command has ended so. */
static void
judge(struct runner *runner, int status, const char *reason, struct verdict *verdict)
{
	const struct sevq_options *options = runner->options;
	bool interrupted =
	    runner->told_command || (WIFSIGNALED(status) && WTERMSIG(status) == runner->stopped_by);

	verdict->ack = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	runner->failures = verdict->ack ? 0 : runner->failures + 1;
	runner->result = verdict->ack ? SEVQ_EXIT_DONE : SEVQ_EXIT_FAILED;
	sevq_nack_options_init(&verdict->nack);
	verdict->nack.reason = reason;
	verdict->nack.do_not_count = interrupted;
	if (!verdict->ack && !interrupted)
		verdict->nack.delay_ms = sevq_backoff_ms(
		    runner->failures,
		    options->backoff_ms != 0 ? options->backoff_ms : BACKOFF_MS_DEFAULT,
		    options->backoff_max_ms != 0 ? options->backoff_max_ms
						 : BACKOFF_MAX_MS_DEFAULT);
}

static void
set_environment(const struct sevq_lease *lease)
{
	char count[24];

	snprintf(count, sizeof(count), "%zu", lease->count);
	if (setenv("SEVQ_SESSION_KEY", lease->session_key, 1) != 0 ||
	    setenv("SEVQ_EVENT_COUNT", count, 1) != 0 ||
	    setenv("SEVQ_LEASE_ID", lease->lease_id, 1) != 0)
		sevq_need(NULL);
}

/* The command with what has been taken, up to the ack. */
static void
run_command(struct runner *runner, struct hold *hold, const struct sevq_buffer *input)
{
	struct verdict verdict;
	char reason[32];
	int status;
	pid_t pid;

	set_environment(hold->lease);
	pid = sevq_child_start(&runner->signals, runner->command, sevq_buffer_text(input),
			       input->len);
	if (pid < 0) {
		fprintf(stderr, "sevq: %s: %s\n", runner->command[0], strerror(errno));
		give_back(runner, hold, "the command could not be started");
		runner->result = SEVQ_EXIT_FAILED;
		runner->over = true;
		return;
	}
	status = watch(runner, hold, pid);
	explain(status, reason, sizeof(reason));
	judge(runner, status, reason, &verdict);
	settle(runner, hold, &verdict);
	if (hold->lost)
		runner->result = SEVQ_EXIT_FAILED;
}

/* One round. false: there was nothing to run the command for. */
static bool
run_round(struct runner *runner)
{
	struct sevq_buffer input = { 0 };
	struct hold hold;
	bool any;

	take_events(runner, &hold, &input);
	note_stop(runner, sevq_signals_await(&runner->signals.stop, 0));
	any = !is_empty(&hold);
	if (any && runner->stopped_by != 0)
		give_back(runner, &hold, "the runner was stopped");
	else if (any)
		run_command(runner, &hold, &input);
	release(&hold);
	sevq_buffer_clear(&input);
	return any;
}

static enum sevq_exit
run_rounds(struct runner *runner)
{
	const struct sevq_options *options = runner->options;
	int64_t rounds = 0;

	while (!runner->over && runner->stopped_by == 0) {
		if (!options->once)
			wait_for_events(runner);
		if (runner->over)
			break;
		if (run_round(runner)) {
			runner->passed_by = 0;
			if (options->once || ++rounds == options->max_rounds)
				break;
		} else if (options->once && !runner->over && runner->stopped_by == 0) {
			return SEVQ_EXIT_NOTHING;
		} else if (!runner->over) {
			rest(runner,
			     sevq_backoff_ms(++runner->passed_by, PASSED_BY_MS, PASSED_BY_MAX_MS));
		}
	}
	return runner->stopped_by != 0 && !runner->over ? SEVQ_EXIT_DONE : runner->result;
}

/* Who we are, for the history. */
static void
name_ourselves(struct runner *runner)
{
	char host[64] = "";

	gethostname(host, sizeof(host) - 1);
	snprintf(runner->consumer, sizeof(runner->consumer), "sevq run, %s, %ld", host,
		 (long)getpid());
}

/* KEY, unless an option has named the session, and the command. */
static bool
take_arguments(struct runner *runner, struct sevq_options *options)
{
	int first = 0;

	if (options->address.session_key == NULL && options->address.agent_id == NULL)
		options->address.session_key = options->arguments[first++];
	runner->command = options->arguments + first;
	return first < options->argument_count;
}

enum sevq_exit
sevq_run_run(struct sevq_client *client, struct sevq_options *options)
{
	struct runner runner = { .client = client, .options = options };

	if (!take_arguments(&runner, options))
		return sevq_report_usage("usage: sevq run [KEY] -- COMMAND [ARG...]");
	runner.lease_ms = options->lease_ms != 0 ? options->lease_ms : LEASE_MS_DEFAULT;
	name_ourselves(&runner);
	sevq_signals_begin(&runner.signals);
	return run_rounds(&runner);
}
