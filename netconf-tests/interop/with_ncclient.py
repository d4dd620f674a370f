#!/usr/bin/env python3
"""Drives a Quorate agent with ncclient, as a manager would.

usage: with_ncclient.py PORT USER PASSWORD

The agent serves the models of netconf-tests/yang and an empty running datastore. Every check is an assertion; the
exit code is 0 if all hold.
"""
import sys
import time
from lxml import etree
from ncclient import manager
from ncclient.devices.default import DefaultDeviceHandler
from ncclient.operations import RPCError
from ncclient.transport.session import NetconfBase

PORT, USER, PASSWORD = int(sys.argv[1]), sys.argv[2], sys.argv[3]
TEST = "urn:quorate:test"
ROUTES = "urn:bench:routes"
BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"


class Base10Handler(DefaultDeviceHandler):
    """A client that knows end-of-message framing only."""
    _BASE_CAPABILITIES = ["urn:ietf:params:netconf:base:1.0"]


def connect(handler=None):
    """A session with chunked framing, unless the handler knows only the other one."""
    device = {"handler": handler} if handler else {"name": "default"}
    return manager.connect(host="127.0.0.1", port=PORT, username=USER, password=PASSWORD, hostkey_verify=False,
                           allow_agent=False, look_for_keys=False, device_params=device, timeout=60)


def top(inner):
    return f'<config xmlns="{BASE}"><top xmlns="{TEST}">{inner}</top></config>'


def name_of(m, source="running"):
    data = m.get_config(source, filter=("subtree", f'<top xmlns="{TEST}"><name/></top>')).data
    return data.findtext(f"{{{TEST}}}top/{{{TEST}}}name")


def fails(tag, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except RPCError as error:
        assert error.tag == tag, f"{error.tag} is not {tag}: {error}"
        return error
    raise AssertionError(f"{tag} was expected")


def basics():
    with connect() as m:
        assert int(m.session_id) > 0
        assert m._session._base is NetconfBase.BASE_11, "chunked framing"
        for capability in (":candidate", ":confirmed-commit", ":validate", ":writable-running", ":rollback-on-error", ":xpath"):
            assert capability in m.server_capabilities, capability
        assert len(m.get().data) > 0
        assert len(m.get_config("running", filter=("subtree", "<filter/>")).data) == 0
        assert "module quorate-test" in m.get_schema("quorate-test").data
        fails("operation-not-supported", m.dispatch, etree.Element("frobnicate"))


def candidate_under_lock():
    with connect() as m, connect() as other:
        with m.locked("candidate"):
            error = fails("lock-denied", other.lock, "candidate")
            assert m.session_id in error.info, error.info
            m.discard_changes()
            m.edit_config(config=top("<name>one</name>"), target="candidate", test_option="test-then-set",
                          error_option="rollback-on-error")
            assert name_of(m, "candidate") == "one" and name_of(m) is None
            m.validate("candidate")
            m.commit()
        assert name_of(other) == "one"
        fails("invalid-value", m.edit_config, config=top("<size>0</size>"), target="candidate")


def confirmed_commit_from_two_sessions():
    with connect() as second:
        first = connect()
        first.edit_config(config=top("<name>two</name>"), target="candidate")
        first.commit(confirmed=True, timeout="60", persist="token")
        fails("in-use", second.commit)
        fails("invalid-value", second.commit, persist_id="wrong")
        first.close_session()
        second.commit(persist_id="token")
        assert name_of(second) == "two"
        second.edit_config(config=top("<name>three</name>"), target="candidate")
        second.commit(confirmed=True, timeout="60")
        assert name_of(second) == "three"
        second.cancel_commit()
        assert name_of(second) == "two"
        second.edit_config(config=top("<name>four</name>"), target="candidate")
        second.commit(confirmed=True, timeout="1")
        deadline = time.monotonic() + 60
        while name_of(second) != "two":
            assert time.monotonic() < deadline, "no rollback"
            time.sleep(0.05)


def copy_and_edit_running():
    with connect() as m:
        m.edit_config(config=top("<name>five</name>"), target="running", default_operation="merge")
        m.copy_config(source="running", target="candidate")
        m.edit_config(config=top("<size>9</size>"), target="candidate")
        m.commit()
        data = m.get_config("running").data
        assert data.findtext(f"{{{TEST}}}top/{{{TEST}}}size") == "9"
        fails("operation-not-supported", m.delete_config, target="running")


def a_large_reply(handler, unit):
    """More than 10 MB of replies, in which `unit` comes again and again."""
    count = 50_000
    with connect(handler) as m:
        text = "".join(f"<route><id>{i:07d}</id><next-hop>10.0.0.1</next-hop><description>"
                       f"{unit * 12} {i}</description></route>" for i in range(count))
        m.edit_config(config=f'<config xmlns="{BASE}"><routes xmlns="{ROUTES}">{text}</routes></config>',
                      target="candidate")
        m.commit()
        reply = m.get_config("running", filter=("subtree", f'<routes xmlns="{ROUTES}"/>'))
        assert len(reply.xml.encode()) > 10_000_000, len(reply.xml)
        assert reply.xml.count(unit) == count * 12
        m.edit_config(config=f'<config xmlns="{BASE}" xmlns:nc="{BASE}"><routes xmlns="{ROUTES}" nc:operation="delete"/>'
                             "</config>", target="candidate")
        m.commit()


def a_session_is_killed():
    with connect() as killer:
        victim = connect()
        victim.lock("running")
        killer.kill_session(victim.session_id)
        deadline = time.monotonic() + 60
        while victim.connected:
            assert time.monotonic() < deadline, "the victim lives"
            time.sleep(0.05)
        killer.lock("running")
        killer.unlock("running")
        fails("invalid-value", killer.kill_session, killer.session_id)


def fifty_requests_in_flight():
    with connect() as m:
        m.async_mode = True
        replies = [m.get_config("running") for _ in range(50)]
        for reply in replies:
            assert reply.event.wait(60), "no reply"
            assert reply.error is None and reply.reply.ok, reply.error


def old_framing():
    with connect(Base10Handler) as m:
        assert m._session._base is NetconfBase.BASE_10, "end-of-message framing"
        m.edit_config(config=top("<name>old</name>"), target="candidate")
        m.commit()
        assert name_of(m) == "old"


def xpath_filters():
    with connect() as m:
        m.edit_config(target="running", config=top("<name>by-xpath</name><size>7</size>"))
        selected = m.get_config("running", filter=("xpath", ({"t": TEST}, "/t:top/t:name[. = 'by-xpath']"))).data
        assert [leaf.text for leaf in selected.iter() if len(leaf) == 0] == ["by-xpath"], etree.tostring(selected)
        selected = m.get(filter=("xpath", "/netconf-state/capabilities")).data
        assert len(selected) == 1 and len(selected[0][0]) > 5
        fails("invalid-value", m.get, filter=("xpath", "count(/*)"))


def main():
    basics()
    candidate_under_lock()
    confirmed_commit_from_two_sessions()
    copy_and_edit_running()
    a_session_is_killed()
    fifty_requests_in_flight()
    xpath_filters()
    old_framing()
    a_large_reply(None, "漢字é🦀")
    # In this framing ncclient decodes what each read happens to bring: it fails on characters of several bytes.
    a_large_reply(Base10Handler, "abcdefghijkl")


if __name__ == "__main__":
    main()
