<?php
// SPDX-License-Identifier: GPL-2.0-or-later
//
// The application of the demo. It runs inside of a container:
//
//   app.php work NAME          change files of every layer, and make one
//   app.php look               print what is there, as JSON
//   app.php serve COUNT        write so many lines into the log
//   app.php report             print how many lines of the log have which status

const STATE = __DIR__ . '/state.json';	// of the application's layer
const ISSUE = '/etc/issue';		// of the base layer
const INI = '/etc/php/own.ini';		// a directory of the PHP layer, a new file
const GONE = '/etc/debian_version';	// of the base layer, deleted by "work"
const LOG = '/var/log/app/access.log';	// in a volume

set_error_handler(function (int $number, string $message): bool {
	fwrite(STDERR, "app.php: $message\n");
	exit(1);
});

function work(string $name): void
{
	$state = json_decode(file_get_contents(STATE), true, 8, JSON_THROW_ON_ERROR);
	$state['runs']++;
	$state['last'] = $name;
	file_put_contents(STATE, json_encode($state) . "\n");
	file_put_contents(ISSUE, "changed by $name\n", FILE_APPEND);
	file_put_contents(INI, "; $name\n");
	unlink(GONE);
	mkdir('/var/lib/app');
	file_put_contents('/var/lib/app/' . $name, str_repeat($name . "\n", 10000));
}

function look(): void
{
	echo json_encode([
		'php' => PHP_VERSION,
		'state' => json_decode(file_get_contents(STATE), true),
		'issue' => substr_count(file_get_contents(ISSUE), 'changed by'),
		'ini' => is_file(INI),
		'gone' => !file_exists(GONE),
		'made' => is_dir('/var/lib/app') ?
			array_values(array_diff(scandir('/var/lib/app'), ['.', '..'])) : [],
		'documentation' => is_dir('/usr/share/doc'),
		'daily' => array_values(array_diff(scandir('/etc/cron.daily'), ['.', '..', '.placeholder'])),
	], JSON_UNESCAPED_SLASHES), "\n";
}

function serve(int $count): void
{
	$lines = '';
	for ($n = 1; $n <= $count; $n++) {
		$status = $n % 7 == 0 ? 500 : ($n % 5 == 0 ? 404 : 200);
		$lines .= "GET /page/$n $status\n";
	}
	file_put_contents(LOG, $lines, FILE_APPEND);
}

function report(): void
{
	$count = [];
	foreach (file(LOG, FILE_IGNORE_NEW_LINES) as $line) {
		$status = substr($line, -3);
		$count[$status] = ($count[$status] ?? 0) + 1;
	}
	ksort($count);
	echo json_encode($count), "\n";
}

match ($argv[1] ?? '') {
	'work' => work($argv[2]),
	'look' => look(),
	'serve' => serve((int) $argv[2]),
	'report' => report(),
	default => trigger_error('usage: app.php work|look|serve|report ...'),
};
