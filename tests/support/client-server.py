#!/usr/bin/python3
"""Runs Debian's openstack client, as it is, again and again: what takes it longest is loading its modules.

Reads a request a line, {"id", "argv", "env", "cwd", "out", "err"}; each is a process of its own, forked once the modules are there, whose
output goes to the two files. Answers {"id", "code"}, in the order of their ends.
"""
import json
import os
import signal
import sys

import openstack  # noqa: F401
import openstackclient.shell
import osc_lib.clientmanager  # noqa: F401
from keystoneauth1.identity import generic  # noqa: F401


def serve(request):
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        code = openstackclient.shell.main(request["argv"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) or end.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


running = {}


def reap(*_):
    while running:
        process, status = os.waitpid(-1, os.WNOHANG)
        if process == 0:
            return
        answer = {"id": running.pop(process), "code": os.waitstatus_to_exitcode(status)}
        os.write(1, (json.dumps(answer) + "\n").encode())


signal.signal(signal.SIGCHLD, reap)
for line in sys.stdin:
    request = json.loads(line)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    process = os.fork()
    if process == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        serve(request)
    running[process] = request["id"]
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
