"""A steward connects, tests, enables and watches a source from the pages alone; the terminal does the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import typer
from django.test import Client
from typer.testing import CliRunner

from datong.collect.sources import cli, service
from datong.collect.sources.contracts import FetchState
from datong.collect.sources.tests.conftest import Desk
from datong.collect.sources.tests.test_files import drop

SECRET = "gar-nicht-zu-sehen"


def sign_in(desk: Desk, member: str) -> Client:
    client = Client()
    client.force_login(desk.cast.user(member))
    return client


def act(client: Client, source_id: str, do: str) -> Any:
    return client.post(f"/sources/{source_id}/act", {"do": do})


def test_from_nothing_to_rows(desk: Desk, tmp_path: Path) -> None:
    client = sign_in(desk, f"{desk.agency}.steward")
    assert "连接一个来源" in client.get(f"/resources/{desk.resource_id}/").content.decode()
    new = f"/resources/{desk.resource_id}/sources/new"
    assert "PostgreSQL" in client.get(new).content.decode()
    answer = client.post(new, {"kind": "folder", "title": "交换目录", "folder": "/etc"})
    assert answer.status_code == 400
    assert "DATONG_SOURCE_FOLDERS" in answer.content.decode()
    made = client.post(new, {"kind": "folder", "title": "交换目录", "folder": str(tmp_path)})
    assert made.status_code == 302
    source_id = made["Location"].rstrip("/").rpartition("/")[2]
    drop(tmp_path, "a.csv", 1, 2)
    assert "1个文件符合文件名模式" in act(client, source_id, "test").content.decode()
    assert act(client, source_id, "enable").status_code == 302
    assert act(client, source_id, "fetch").status_code == 302
    assert act(client, source_id, "fetch").status_code == 409
    fetch = service.find_fetches(source_id)[0]
    service.execute_fetch(fetch.id)
    ended = desk.finish(service.get_source(source_id), fetch.id)
    assert ended is not None
    assert ended.state is FetchState.DONE
    page = client.get(f"/sources/{source_id}/").content.decode()
    assert ended.run_number in page
    assert "交换目录" in client.get("/sources/").content.decode()
    assert [row["reading_id"] for row in desk.rows()] == [1, 2]
    assert act(client, source_id, "remove").status_code == 302
    assert client.get(f"/sources/{source_id}/").status_code == 404


def test_a_credential_never_comes_back(quiet_desk: Desk) -> None:
    client = sign_in(quiet_desk, f"{quiet_desk.agency}.steward")
    new = f"/resources/{quiet_desk.resource_id}/sources/new"
    form = {"kind": "http", "title": "接口", "url": "not an address", "auth": "bearer", "token": SECRET}
    refused = client.post(new, form)
    assert refused.status_code == 400
    assert "请再填一次" in refused.content.decode()
    made = client.post(new, {**form, "url": "https://api.example.org/x"})
    source_id = made["Location"].rstrip("/").rpartition("/")[2]
    pages = [refused.content, *(client.get(f"/sources/{source_id}/{page}").content for page in ("", "edit"))]
    assert all(SECRET.encode() not in page for page in pages)
    edited = {**form, "url": "https://api.example.org/y", "token": "", "revision": "1"}
    assert client.post(f"/sources/{source_id}/edit", edited).status_code == 302
    assert service.get_source(source_id).secret_names == ("token",)


def test_what_a_source_says_is_shown_as_text(quiet_desk: Desk) -> None:
    """A name typed by somebody, or met at the source, is no markup."""
    client = sign_in(quiet_desk, f"{quiet_desk.agency}.steward")
    source = quiet_desk.connect("http", {"url": "https://api.example.org/<b>", "records": "<script>"})
    assert b"<script>" not in client.get(f"/sources/{source.id}/").content.replace(b"<script src", b"")


def test_others_see_nothing(quiet_desk: Desk) -> None:
    source = quiet_desk.connect("http", {"url": "https://api.example.org/x"})
    client = sign_in(quiet_desk, "operator")
    assert client.get(f"/sources/{source.id}/").status_code == 404
    assert act(client, source.id, "enable").status_code == 404
    assert not service.get_source(source.id).enabled


def test_the_terminal(quiet_desk: Desk, tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    cli.register(app)

    def run(*words: str, given: str = "") -> Any:
        ended = CliRunner().invoke(app, ["source", *words, "--json"], input=given, catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return orjson.loads(ended.stdout)

    drop(tmp_path, "a.csv", 1)
    made = run("create", quiet_desk.resource_id, "folder", "--name", "目录", "--set", f"folder={tmp_path}")
    assert run("test", made["id"])["reached"] == str(tmp_path)
    assert run("enable", made["id"])["enabled"] is True
    assert run("run", made["id"], "--now")["state"] == "landed"
    assert [source["id"] for source in run("list", "--resource", quiet_desk.resource_id)] == [made["id"]]
    api = ("create", quiet_desk.resource_id, "http", "--name", "接口", "--set", "url=https://api.example.org/x")
    sealed = run(*api, "--set", "auth=bearer", "--secrets", "-", given=f"token={SECRET}\n")
    assert sealed["secret_names"] == ["token"]
    assert SECRET not in repr(run("show", sealed["id"]))
    assert run("disable", made["id"])["enabled"] is False
    assert run("remove", sealed["id"]) == {"removed": sealed["id"]}
