// SPDX-License-Identifier: GPL-2.0-only
/* The command line of kloak run: see options.h. */
#include "user/run/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/number.h"
#include "user/policy/rule.h"
#include "user/workload/caps.h"

const char run_usage[] =
	"usage: kloak run -s NAME[=SOURCE]@HOST[:PORT][,...] [option...] -- COMMAND [ARG...]\n"
	"\n"
	"  -s, --secret NAME@HOST    the value of environment variable NAME may go to HOST;\n"
	"                            the command gets a placeholder in NAME\n"
	"                            SOURCE: file:PATH, fd:N, cred:ID\n"
	"                            several ports: HOST:443,8443; several hosts: HOST,HOST\n"
	"      --pin HOST=ADDRESS    HOST has this address\n"
	"      --resolver ADDRESS[:PORT]\n"
	"                            believe this name server, not those of /etc/resolv.conf\n"
	"      --resolver cgroup:PATH\n"
	"                            believe what the resolver daemon in this cgroup is told\n"
	"      --resolve             look the names of the rules up at the start, and keep on\n"
	"      --min-ttl SECONDS     believe an answer for at least so long (30)\n"
	"      --events FILE|-       one JSON object a line for every swap and refusal\n"
	"      --user USER[:GROUP]   run the command as this user\n"
	"      --keep-cap CAP        do not take this capability from the command\n"
	"\n"
	"See kloak(1).\n";

enum option_code {
	OPTION_PIN = 256,
	OPTION_RESOLVER,
	OPTION_RESOLVE,
	OPTION_MIN_TTL,
	OPTION_EVENTS,
	OPTION_USER,
	OPTION_KEEP_CAP,
};

static const struct option long_options[] = {
	{ "secret", required_argument, NULL, 's' },
	{ "pin", required_argument, NULL, OPTION_PIN },
	{ "resolver", required_argument, NULL, OPTION_RESOLVER },
	{ "resolve", no_argument, NULL, OPTION_RESOLVE },
	{ "min-ttl", required_argument, NULL, OPTION_MIN_TTL },
	{ "events", required_argument, NULL, OPTION_EVENTS },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "keep-cap", required_argument, NULL, OPTION_KEEP_CAP },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int add_text(const char **list, size_t *count, size_t max, const char *what,
		    struct error *err)
{
	if (*count == max)
		return error_config(err, -E2BIG,
				    "more than %zu options %s; start several kloak run", max, what);
	list[(*count)++] = optarg;
	return 0;
}

static int keep_cap(struct run_options *options, struct error *err)
{
	int cap = caps_parse(optarg);

	if (cap < 0)
		return error_config(err, cap,
				    "--keep-cap %.40s: no such capability; see capabilities(7)",
				    optarg);
	options->keep_caps |= CAP_BIT(cap);
	return 0;
}

static int min_ttl(struct run_options *options, struct error *err)
{
	char quote[RULE_QUOTE_SIZE];
	int seconds = number_parse(optarg, strlen(optarg), TTL_MAX);

	if (seconds < 0)
		return error_config(err, -EINVAL,
				    "--min-ttl \"%s\": it is no number of seconds from 0 to %d; "
				    "write how long an answer counts at least, as --min-ttl 300",
				    rule_quote(optarg, strlen(optarg), quote), TTL_MAX);
	options->min_ttl = (uint32_t)seconds;
	return 0;
}

static const char *option_name(int code)
{
	static char name[32];
	const struct option *option;

	for (option = long_options; option->name; option++) {
		if (option->val == code && code == 's')
			return "-s";
		if (option->val == code) {
			snprintf(name, sizeof(name), "--%s", option->name);
			return name;
		}
	}
	return "";
}

static int take(struct run_options *options, int code, struct error *err)
{
	switch (code) {
	case 's':
		return add_text(options->secrets, &options->secret_count,
				ARRAY_SIZE(options->secrets), "-s", err);
	case OPTION_PIN:
		return add_text(options->pins, &options->pin_count, ARRAY_SIZE(options->pins),
				"--pin", err);
	case OPTION_RESOLVER:
		return add_text(options->resolvers, &options->resolver_count,
				ARRAY_SIZE(options->resolvers), "--resolver", err);
	case OPTION_RESOLVE:
		options->resolve = true;
		return 0;
	case OPTION_MIN_TTL:
		return min_ttl(options, err);
	case OPTION_EVENTS:
		options->events = optarg;
		return 0;
	case OPTION_USER:
		options->user = optarg;
		return 0;
	case OPTION_KEEP_CAP:
		return keep_cap(options, err);
	case 'h':
		options->help = true;
		return 0;
	case ':':
		return error_config(err, -EINVAL, "option %s needs a value; see 'kloak run --help'",
				    option_name(optopt));
	default:
		/* Not the text of the option: somebody may have written a secret there. */
		return error_config(err, -EINVAL,
				    "unknown option number %d; see 'kloak run --help'", optind - 1);
	}
}

int run_options_parse(struct run_options *options, int argc, char **argv, struct error *err)
{
	int code;
	int ret = 0;

	memset(options, 0, sizeof(*options));
	options->min_ttl = TTL_MIN;
	opterr = 0;
	optind = 1;
	while (!ret && (code = getopt_long(argc, argv, "+:s:h", long_options, NULL)) != -1)
		ret = take(options, code, err);
	if (ret || options->help)
		return ret;
	if (!options->secret_count)
		return error_config(err, -EINVAL,
				    "no secret given; write -s NAME@HOST, for example "
				    "-s API_KEY@api.example.com");
	if (optind == argc)
		return error_config(err, -EINVAL,
				    "no command given; write it after the options: -- COMMAND");
	options->command = argv + optind;
	return 0;
}
