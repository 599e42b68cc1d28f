#!/usr/bin/env bash
# The echo server under real clients: bytes come back, a thousand at once, resets, signals, a full
# descriptor table, bad arguments.
set -u
program=$PLAIT_BUILD_DIR/examples/echo_server
[ -x "$program" ] || { echo "the examples are not in this build"; exit 77; }
exec timeout -s KILL 55 python3 - "$program" <<'PYTHON'
import os, re, resource, signal, socket, struct, subprocess, sys, tempfile, threading, time

PROGRAM = sys.argv[1]
PATIENCE_S = 20


def until(condition, what):
    """Waits for something that must come; says what did not."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.005)


class Refused(Exception):
    pass


class Server:
    def __init__(self, driver, descriptors=None):
        limit = descriptors and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors,) * 2))
        self.said = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [PROGRAM, "0"], stdout=subprocess.PIPE, stderr=self.said, text=True, preexec_fn=limit or None,
            env={**os.environ, "PLAIT_DRIVER": driver})
        line = self.process.stdout.readline()
        if not line and "is refused" in self.complaints():
            self.process.wait()
            raise Refused(self.complaints())
        match = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+) \((\w+)\)\n", line)
        assert match and match[2] == driver, (line, self.complaints())
        self.port = int(match[1])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if kind:
            print("the server said:", self.complaints())
        self.said.close()

    def complaints(self):
        self.said.seek(0)
        return self.said.read()

    def client(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def end(self, with_signal):
        self.process.send_signal(with_signal)
        return self.process.wait(PATIENCE_S)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def receive(client, count):
    data = b""
    while len(data) < count:
        piece = client.recv(count - len(data))
        assert piece, f"the stream ended after {len(data)} of {count} bytes"
        data += piece
    return data


def echoes(client, message):
    client.sendall(message)
    assert receive(client, len(message)) == message


def check_bytes(server):
    before = server.descriptors()
    with server.client() as client:
        for size in (1, 64, 4095, 4096, 4097, 100_000):
            echoes(client, os.urandom(size))
        big = os.urandom(3_000_000)  # more than both socket buffers: reads and writes overlap
        sender = threading.Thread(target=lambda: (client.sendall(big), client.shutdown(socket.SHUT_WR)))
        sender.start()
        assert receive(client, len(big)) == big
        assert client.recv(1) == b"", "no end of stream after the client had ended its own"
        sender.join()
    server.client().close()
    until(lambda: server.descriptors() == before, "the connections' descriptors are closed")


def check_many(server, count=1000):
    before = server.descriptors()
    clients = [server.client() for _ in range(count)]
    messages = [b"%d " % i + os.urandom(60) for i in range(count)]
    for client, message in zip(clients, messages):
        client.sendall(message)
    for client, message in zip(clients, messages):
        assert receive(client, len(message)) == message
    for client in clients:
        client.close()
    until(lambda: server.descriptors() == before, "the connections' descriptors are closed")


def check_resets(server):
    before = server.descriptors()
    with server.client() as witness:
        for i in range(100):
            client = server.client()
            client.sendall(os.urandom(50_000))  # the echo is not read: the server is writing
            if i % 2:
                client.recv(100)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            echoes(witness, b"still there")
    until(lambda: server.descriptors() == before, "the reset connections' descriptors are closed")
    assert server.process.poll() is None and server.complaints() == "", server.complaints()


def refuses(server):
    try:
        server.client().close()
        return False
    except (ConnectionRefusedError, ConnectionResetError):  # reset: it was closed while this one waited
        return True


def check_drain(server):
    """Who is connected is served to the end; nobody new is."""
    with server.client() as client:
        echoes(client, b"before")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: refuses(server), "new connections are refused")
        echoes(client, b"while the server drains")
        assert server.process.poll() is None
    assert server.process.wait(PATIENCE_S) == 0, server.complaints()
    assert "no new connections" in server.complaints(), server.complaints()


def check_drain_limit(server):
    with server.client() as client:
        echoes(client, b"before")
        assert server.end(signal.SIGINT) == 0, server.complaints()
        assert client.recv(1) == b"", "an idle client sees the end"


def check_second_signal(server):
    with server.client() as client:
        echoes(client, b"before")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: refuses(server), "new connections are refused")
        assert server.end(signal.SIGINT) == -signal.SIGINT, server.complaints()


def has_answered(client):
    client.setblocking(False)
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return False
    finally:
        client.settimeout(PATIENCE_S)


def check_full_table(server):
    """Out of descriptors it serves whom it has, does not spin, and takes the others when it can."""
    clients = [server.client() for _ in range(80)]
    for client in clients:
        client.sendall(b"hello")
    until(lambda: sum(map(has_answered, clients)) >= 8, "the first clients are served")
    used = server.cpu_s()
    time.sleep(0.5)
    assert server.cpu_s() - used < 0.3, "the server spins while descriptors are short"
    assert sum(map(has_answered, clients)) < 40, "the limit did not hold"
    while clients:
        until(lambda: any(map(has_answered, clients)), "waiting clients are accepted again")
        for client in [c for c in clients if has_answered(c)]:
            assert receive(client, 5) == b"hello"
            client.close()
            clients.remove(client)
    with server.client() as client:
        echoes(client, b"recovered")


def checks_pointers_by_pipe():
    """UBSan's vptr check probes memory by pipe(2), and reports an error where it gets none."""
    with open(PROGRAM, "rb") as file:
        return b"__ubsan_" in file.read()


def ends(arguments, environment, status, *texts):
    run = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=PATIENCE_S,
                         env={**os.environ, **environment})
    assert run.returncode == status, (arguments, environment, run)
    for text in texts:
        assert text in run.stderr, (text, run.stderr)


def check_arguments():
    for arguments in ([], ["abc"], ["-1"], ["65536"], ["80x"], [""], ["1", "2"]):
        ends(arguments, {}, 2, "usage: echo_server PORT")
    ends(["0"], {"PLAIT_DRIVER": "nonsense"}, 1, "PLAIT_DRIVER=nonsense", "io_uring, epoll or sim")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        ends([str(port)], {}, 1, f"127.0.0.1:{port}", "choose another port", "in use")


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    check_arguments()
    drivers = os.environ.get("PLAIT_DRIVER", "io_uring epoll").split()
    ran = 0
    for driver in drivers:
        try:
            with Server(driver) as server:
                check_bytes(server)
                check_many(server)
                check_resets(server)
                assert server.end(signal.SIGTERM) == 0, server.complaints()
        except Refused as why:
            print(f"{driver}: not on this machine: {why}")
            continue
        for check in (check_drain, check_drain_limit, check_second_signal):
            with Server(driver) as server:
                check(server)
        if checks_pointers_by_pipe():
            print(f"{driver}: without the full descriptor table, which UBSan takes for a bad object")
        else:
            with Server(driver, descriptors=32) as server:
                check_full_table(server)
                assert server.end(signal.SIGTERM) == 0, server.complaints()
        print(f"{driver}: all checks passed")
        ran += 1
    return 0 if ran else 77


sys.exit(main())
PYTHON
