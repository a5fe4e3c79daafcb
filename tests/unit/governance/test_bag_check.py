"""The check of a package: one forged package for each rule, hostile tar files among them."""

import gzip
import hashlib
import io
import json
import random
import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from blackthorn.audit import package
from blackthorn.audit.package import gunzip
from blackthorn.crypto.secret import Secret
from blackthorn.directory import entries
from blackthorn.errors import UnavailableError, VerificationError
from blackthorn.governance import limits
from blackthorn.governance.package import build as bag
from blackthorn.governance.package import layout
from blackthorn.governance.package.check import VerifiedPackage, check, summarise
from blackthorn.governance.package.rules import RULES
from blackthorn.governance.package.tar import END, read_tar
from blackthorn.wire import note as notes
from tests.support.bags import (
    ALICE,
    BOB,
    CASE,
    NOBODY,
    POLICY,
    REGISTER,
    SEED,
    build,
    entry,
    files_of,
    found,
    hashes,
    prove,
    reader,
    relist,
    resign,
    tar_of,
    whole,
    with_proof,
)

MAIL = f"data/{ALICE}/mail/2.sealed"


def check_files(files: dict[str, bytes]) -> VerifiedPackage:
    return check(found(files), REGISTER, POLICY)


def check_stream(read) -> VerifiedPackage:
    return check(read_tar(read, repacked=True), REGISTER, POLICY)


def check_tar(data: bytes) -> VerifiedPackage:
    return check_stream(reader(data))


def refuses(rule: str, work, *arguments) -> None:
    with pytest.raises(VerificationError) as caught:
        work(*arguments)
    assert caught.value.rule == rule


def edited(files: dict[str, bytes], change) -> dict[str, bytes]:
    """Provenance changed by `change`, and everything made to fit."""
    value = json.loads(files["provenance.json"])
    change(value)
    return resign({**files, "provenance.json": layout.document(value)})


@pytest.fixture
def files() -> dict[str, bytes]:
    return files_of(whole())


def test_a_package_is_accepted_as_tar_and_by_its_files(files) -> None:
    checked = check_tar(whole())
    assert checked == check_files(files)
    assert checked.manifest_hash == build()[1].manifest_hash
    assert (checked.directive, checked.files, checked.sealed) == (CASE.id, build()[1].items, 7)
    assert checked.accounts == tuple(sorted((ALICE, BOB, NOBODY)))
    assert (checked.index, checked.pinned, checked.policy_given) == (1, True, True)


def test_what_makes_forgeries_fit_makes_no_fault_itself(files) -> None:
    assert check_files(relist(files)) == check_files(files)


def test_enclosed_keys_are_taken_and_said_to_be(files) -> None:
    checked = check(found(files), None, None)
    assert (checked.pinned, checked.policy_given) == (False, False)
    assert checked.register == str(REGISTER)


@pytest.mark.parametrize("size", [0, 100, 512, 600, 1024, 5_000])
def test_P1_a_tar_file_that_ends_early(size: int) -> None:
    refuses("P1", check_tar, whole()[:size])


def test_P1_something_behind_the_end_or_in_the_padding() -> None:
    data = whole()
    refuses("P1", check_tar, data + b"hidden")
    refuses("P1", check_tar, data[:-512] + entry("D-000002/more", b"") + END)
    place = data.index(layout.BAGIT) + len(layout.BAGIT)
    refuses("P1", check_tar, data[:place] + b"x" + data[place + 1 :])


def repacked(**options: object) -> bytes:
    """The package as Python's tarfile writes it anew, `rename` applied to each member."""
    rename = options.pop("rename", lambda name: name)
    more = options.pop("more", ())
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", **options) as tar:  # type: ignore[call-overload]
        for name, data in (*files_of(whole()).items(), *more):
            info = tarfile.TarInfo(rename(f"D-000002/{name}"))
            info.size, info.mtime = len(data), 1_437_730_000.25
            tar.addfile(info, io.BytesIO(data))
    return target.getvalue()


FINDER = (("._README.txt", b"\0\5\x16\7"), ("data/.DS_Store", b"Bud1"), ("._data", b"x"))


@pytest.mark.parametrize(
    "data",
    [
        lambda: repacked(format=tarfile.PAX_FORMAT),
        lambda: repacked(format=tarfile.GNU_FORMAT),
        lambda: repacked(format=tarfile.PAX_FORMAT, pax_headers={"comment": "of a git archive"}),
        lambda: repacked(rename=lambda name: f"./{name}"),
        lambda: repacked(rename=lambda name: f"{'t' * 200}{name}", format=tarfile.PAX_FORMAT),
        lambda: repacked(rename=lambda name: name.replace("D-000002", "t" * 120)),
        lambda: repacked(rename=lambda name: name.replace("D-000002/", "./")),
        lambda: repacked(rename=lambda name: name.replace("D-000002/", "")),
        lambda: repacked(more=FINDER),
        lambda: entry("./", b"") + entry("._D-000002", b"x") + whole(),
    ],
)  # fmt: skip
def test_what_changes_no_content_is_accepted(data) -> None:
    assert check_tar(data()) == check_tar(whole())
    assert check_stream(gunzip(io.BytesIO(gzip.compress(data()))))


def test_files_of_a_finder_lie_beside_those_of_a_folder(files) -> None:
    assert check_files(files | dict(FINDER)) == check_files(files)
    refuses("P11", check_files, files | {"._": b""})
    refuses("P11", check_files, files | {"._folder/file": b""})
    refuses("P8", check_files, files | {"data/.hidden": b""})


def pax(*records: tuple[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    lines = [f" {key}={value}\n" for key, value in records]
    body = "".join(f"{len(line) + 2}{line}" for line in lines).encode()
    block = bytearray(entry("D-000002/pax", body))
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


@pytest.mark.parametrize(
    ("rule", "before"),
    [
        ("P3", pax(("linkpath", "/etc/passwd"))),
        ("P3", pax(("GNU.sparse.name", "a"))),
        ("P3", pax(("path", "D-000002"), kind=tarfile.XGLTYPE)),
        ("P3", pax(("path", "D-000002")) * 2),
        ("P3", pax(("comment", "x" * 70_000))),
        ("P2", pax(("path", "/etc"))),
        ("P2", pax(("path", "../up"))),
        ("P1", pax(("size", "-5"))),
        ("P5", pax(("size", "9" * 60))),
        ("P1", pax(("comment", "x")).replace(b"comment=", b"comment-")),
        ("P1", pax(("comment", "x")).replace(b"13 comment", b"93 comment")),
    ],
)
def test_extensions_that_are_false_or_change_content_are_refused(rule: str, before: bytes) -> None:
    refuses(rule, check_tar, before + whole())


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("P1", lambda data: data[:-1]),
        ("P1", lambda data: data[: len(data) // 2]),
        ("P1", lambda data: data + b"hidden"),
        ("P1", lambda data: data + gzip.compress(b"hidden")),
        ("P1", lambda data: data[:40] + bytes([data[40] ^ 255]) + data[41:]),
    ],
)
def test_a_compressed_package_is_whole(rule: str, change) -> None:
    data = change(gzip.compress(whole(), mtime=0))
    refuses(rule, check_stream, gunzip(io.BytesIO(data)))


def test_P5_a_package_that_grows_without_end_is_read_no_further(monkeypatch) -> None:
    monkeypatch.setattr(package, "_MOST", len(whole()) + 4_096)
    given = 0
    read = gunzip(io.BytesIO(gzip.compress(whole() + bytes(10_000_000))))

    def counted(size: int) -> bytes:
        nonlocal given
        piece = read(size)
        given += len(piece)
        return piece

    refuses("P5", check_stream, counted)
    assert given <= len(whole()) + 4_096 + 65_536


def test_P1_no_tar_file_at_all() -> None:
    refuses("P1", check_tar, random.Random(1).randbytes(4_096))


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "data/../../evil", "./evil", "data//evil", "/evil", "C:\\evil", "data/a\x01b",
        "data/con:x", "d" * 300, "data/" + "a/" * 120 + "b", "\udcff",
    ],
)  # fmt: skip
def test_P2_a_name_that_leads_elsewhere(files, name: str) -> None:
    refuses("P2", check_files, {**files, name: b""})


@pytest.mark.parametrize("name", ["/etc/passwd", "../evil", "other/file", "lonely/../x"])
def test_P2_a_tar_file_with_more_than_its_folder(files, name: str) -> None:
    data = tar_of(files)[: -len(END)]
    refuses("P2", check_tar, data + entry(name, b"") + END)


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"6", b"7", b"x", b"g", b"L", b"S"])
def test_P3_a_link_a_device_or_an_extension(kind: bytes) -> None:
    block = bytearray(entry("D-000002/link", b""))
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    refuses("P3", check_tar, bytes(block) + whole())


def test_P4_a_name_twice(files) -> None:
    double = tar_of(files)[: -len(END)] + entry("D-000002/README.txt", b"other") + END
    refuses("P4", check_tar, double)
    refuses("P4", check_files, {**files, "readme.TXT": b"other"})


def test_P5_more_files_or_bytes_than_a_package_has(files, monkeypatch) -> None:
    data = whole()
    monkeypatch.setattr(limits, "MAX_PACKAGE_FILES", 5)
    refuses("P5", check_tar, data)
    refuses("P5", check_files, files)
    monkeypatch.undo()
    monkeypatch.setattr(limits, "MAX_PACKAGE_BYTES", 10_000)
    refuses("P5", check_files, files)
    monkeypatch.undo()
    monkeypatch.setattr(limits, "MAX_PACKAGE_TAG_BYTES", 100)
    refuses("P5", check_files, files)


def test_P5_a_size_that_is_only_claimed_costs_nothing() -> None:
    block = bytearray(entry("D-000002/README.txt", b""))
    block[124:136] = b"\x80" + (2**62).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    refuses("P5", check_tar, bytes(block))


@pytest.mark.parametrize("text", [None, b"BagIt-Version: 0.97\n", layout.BAGIT + b"\n"])
def test_P6_another_declaration(files, text) -> None:
    del files["bagit.txt"]
    refuses("P6", check_files, files if text is None else {**files, "bagit.txt": text})


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + text.split(b"\n")[0] + b"\n",
        lambda text: text.upper(),
        lambda text: text.replace(b"  ", b" ", 1),
        lambda text: text + b"\xff\n",
        lambda text: text + b"\n",
    ],
)
@pytest.mark.parametrize("name", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_P7_a_manifest_out_of_form(files, name: str, change) -> None:
    refuses("P7", check_files, {**files, name: change(files[name])})


@pytest.mark.parametrize("name", ["manifest-sha256.txt", "tagmanifest-sha256.txt"])
def test_P7_no_manifest(files, name: str) -> None:
    del files[name]
    refuses("P7", check_files, files)


def test_P8_a_file_too_many_or_too_few(files) -> None:
    refuses("P8", check_files, {**files, f"data/{ALICE}/more": b""})
    del files[MAIL]
    refuses("P8", check_files, files)


def test_P9_a_payload_file_that_was_changed(files) -> None:
    refuses("P9", check_files, {**files, MAIL: files[MAIL][:-1] + b"?"})


@pytest.mark.parametrize("name", [each for each in layout.TAGGED if each != "bagit.txt"])
def test_P10_a_tag_file_that_was_changed(files, name: str) -> None:
    rule = "P7" if name.startswith("manifest") else "P10"
    refuses(rule, check_files, {**files, name: files[name] + b" "})


def test_P10_a_tag_file_that_is_missing_or_not_listed(files) -> None:
    for name in ("README.txt", "bag-info.txt", "custody.jsonl", "verify.py", "provenance.json"):
        less = {each: data for each, data in files.items() if each != name}
        refuses("P10", check_files, less)
    lines = files[layout.TAG_MANIFEST].splitlines(keepends=True)
    refuses("P10", check_files, {**files, layout.TAG_MANIFEST: b"".join(lines[1:])})


@pytest.mark.parametrize("name", ["more.txt", "proof/more", "fetch.txt", "manifest-md5.txt"])
def test_P11_a_file_that_does_not_belong(files, name: str) -> None:
    refuses("P11", check_files, {**files, name: b""})


def test_P12_a_description_of_another_payload(files) -> None:
    info = files["bag-info.txt"].replace(b"Payload-Oxum: ", b"Payload-Oxum: 1")
    refuses("P12", check_files, resign({**files, "bag-info.txt": info}))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(more=1),
        lambda value: value.pop("approvers"),
        lambda value: value.update(approved_ms="soon"),
        lambda value: value.update(format="another"),
        lambda value: value.update(categories=["everything"]),
        lambda value: value.update(accounts=["alice"]),
        lambda value: value["accounts"].pop(0),
        lambda value: value["accounts"][0].update(files=0),
        lambda value: value["sealed"].update(note="plain"),
        lambda value: value["sealed"]["files"].pop(),
    ],
)
def test_P13_a_provenance_of_something_else(files, change) -> None:
    refuses("P13", check_files, edited(files, change))


def test_P13_data_of_an_account_that_is_not_named(files) -> None:
    extra = {**files, "data/carol@acme.example/account.json": b"{}"}
    refuses("P13", check_files, relist(extra))


JUNK = [None, True, -1, 2**70, 1.5, "", "\ud800", "x" * 300, [], [None], {}, {"a": 1}, [[[]]]]


@pytest.mark.parametrize("name", ["provenance.json", "custody.jsonl"])
@pytest.mark.parametrize("junk", JUNK)
def test_no_value_in_a_document_is_another_error(files, name: str, junk) -> None:
    """Each value of provenance and custody log replaced by junk, with manifests that fit."""
    lines = files[name].splitlines() if name.endswith("l") else [files[name]]
    for number, line in enumerate(lines):
        value = json.loads(line)
        for place in places(value):
            changed = json.dumps(put(value, place, junk)).encode()
            data = b"\n".join([*lines[:number], changed, *lines[number + 1 :], b""])
            forged = with_root(files, name, data)
            with pytest.raises(VerificationError):
                check_files(forged)


def places(value, path=()) -> list[tuple]:
    """The paths to all values in a document."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in items:
            found += places(each, (*path, key))
    return found


def put(value, path: tuple, junk):
    copy = json.loads(json.dumps(value))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return copy


def test_P13_a_provenance_that_is_no_json(files) -> None:
    refuses("P13", check_files, with_root(files, "provenance.json", b"{" * 100_000))
    refuses("P13", check_files, with_root(files, "provenance.json", b"[]"))


def with_root(files: dict[str, bytes], name: str, data: bytes) -> dict[str, bytes]:
    """One tag file changed and listed so; signature and proof are left as they were."""
    tags = {each: files[each] for each in layout.TAGGED} | {name: data}
    return {**files, name: data, layout.TAG_MANIFEST: layout.manifest(hashes(tags))}


def test_P14_a_custody_log_with_a_step_changed_moved_or_cut(files) -> None:
    lines = files["custody.jsonl"].splitlines(keepends=True)
    first, second, third = lines
    forged = [
        first + second.replace(b"receive", b"deceive") + third,
        first + third + second,
        first + second,
        second + third,
        b"",
        first + second + third[:-1],
        first + second + third + b"nothing\n",
        first.replace(b"D-000002", b"D-000003") + second + third,
    ]
    for log in forged:
        refuses("P14", check_files, resign({**files, "custody.jsonl": log}))


@pytest.mark.parametrize("name", layout.FINISHING)
def test_P15_a_finished_package_that_lacks_a_file(files, name: str) -> None:
    del files[name]
    refuses("P15", check_files, files)


def test_the_bag_as_it_is_built_is_no_attack_but_not_finished() -> None:
    with pytest.raises(UnavailableError) as caught:
        check_tar(build()[0])
    said = str(caught.value)
    assert f"the package of {CASE.id} is not finished, so it proves nothing yet" in said
    assert "a custodian and another officer have signed" in said
    assert said.endswith(f"blackthorn directive produce {CASE.id}")


def test_an_unfinished_bag_with_a_changed_file_is_refused_by_its_rule(files) -> None:
    for name in layout.FINISHING:
        del files[name]
    name = next(name for name in files if name.startswith("data/"))
    refuses("P9", check_files, {**files, name: files[name] + b"x"})


def test_P16_a_signature_over_another_package(files) -> None:
    other = bag.sign("ledger.acme.example", SEED, CASE.id, bytes(32))
    refuses("P16", check_files, {**files, layout.SIGNATURE: other})
    of_another = bag.sign("ledger.acme.example", SEED, "D-000003", build()[1].manifest_hash)
    refuses("P16", check_files, {**files, layout.SIGNATURE: of_another})


def test_P17_a_signature_by_another_key(files) -> None:
    other = Secret(b"\x09" * 32)
    forged = bag.sign("ledger.acme.example", other, CASE.id, root_of(files))
    refuses("P17", check_files, {**files, layout.SIGNATURE: forged})
    vkey = f"{bag.register_key('ledger.acme.example', other)}\n".encode()
    both = {**files, layout.SIGNATURE: forged, "proof/register.vkey": vkey}
    refuses("P17", check_files, both)
    assert check(found(both), None, POLICY).pinned is False


def root_of(files: dict[str, bytes]) -> bytes:
    return hashlib.sha256(files[layout.TAG_MANIFEST]).digest()


def test_P17_a_register_of_another_log(files) -> None:
    signature = bag.sign("ledger.other.example", SEED, CASE.id, root_of(files))
    key = bag.register_key("ledger.other.example", SEED)
    forged = {**files, layout.SIGNATURE: signature}
    refuses("P17", check, found(forged), key, POLICY)


def test_P17_a_bit_of_the_signature(files) -> None:
    note = notes.parse_note(files[layout.SIGNATURE])
    (line,) = note.signatures
    flipped = replace(line, signature=bytes([line.signature[0] ^ 1]) + line.signature[1:])
    data = notes.format_note(notes.Note(note.text, (flipped,)))
    refuses("P17", check_files, {**files, layout.SIGNATURE: data})


def test_P18_an_entry_that_decides_something_else(files) -> None:
    root = root_of(files)
    for proof in (
        prove(CASE.id, bytes(32)),
        prove("D-000003", root),
        prove(CASE.id, root, action="deliver"),
        prove(CASE.id, root, kind=entries.OFFICE),
    ):
        refuses("P18", check_files, with_proof(files, proof))
    other = prove(CASE.id, root)
    refuses("P18", check_files, {**files, "proof/checkpoint": other.checkpoint + b"x"})


def test_an_opening_of_another_decision_is_refused(files) -> None:
    opening = prove(CASE.id, bytes(32)).opening
    refuses("G10", check_files, {**files, "proof/opening": opening})


def test_a_proof_that_does_not_hold_is_refused_by_the_rules_of_the_log(files) -> None:
    refuses("T5", check_files, {**files, "proof/entry": files["proof/entry"] + b"x"})
    proof = files["proof/tlog-proof.txt"].replace(b"index 1\n", b"index 0\n")
    refuses("T5", check_files, {**files, "proof/tlog-proof.txt": proof})


def test_any_damage_is_an_error_of_ours(files) -> None:
    """Bytes of the tar file changed, cut or doubled by a seeded generator: never a pass."""
    data, source = whole(), random.Random(7)
    for _ in range(400):
        place = source.randrange(len(data))
        changed = bytearray(data)
        changed[place] ^= 1 << source.randrange(8)
        try:
            checked = check_tar(bytes(changed))
        except VerificationError:
            continue
        assert checked == check_tar(data)
        differ = {name for name, each in files_of(bytes(changed)).items() if files[name] != each}
        assert differ <= {"proof/policy.txt"}, "a policy was given"


def test_every_rule_has_a_test() -> None:
    tested = {name.split("_")[1] for name in globals() if name.startswith("test_P")}
    assert tested == set(RULES)


def test_the_specification_says_the_rules_and_names_the_files() -> None:
    text = (Path(__file__).parents[3] / "docs/specs/production.md").read_text(encoding="utf-8")
    rows = [f"| {rule} | {said} |" for rule, said in RULES.items()]
    assert [each for each in text.splitlines() if re.match(r"\| P\d", each)] == rows
    for name in (*layout.TAGGED, *layout.PROOF, layout.TAG_MANIFEST, *layout.CATEGORIES):
        assert name in text


@pytest.mark.parametrize("name", ["D-000002", "./D-000002"])
def test_P2_a_file_named_as_the_folder_hides_nothing(files, name: str) -> None:
    refuses("P2", check_tar, entry(name, b"hidden") + whole())
    refuses("P2", check_tar, tar_of(files)[: -len(END)] + entry(name, b"hidden") + END)


def test_an_officer_signs_for_no_file_or_extension_that_others_left_in_a_package(files) -> None:
    """What a Finder or a packing program may add would hide what no rule has looked at."""
    assert summarise(read_tar(reader(whole()))).finished
    refuses("P8", summarise, found({**files, "data/._mail": b"hidden"}))
    refuses("P11", summarise, found({**files, "._README.txt": b"hidden"}))
    data = repacked(format=tarfile.PAX_FORMAT, pax_headers={"comment": "hidden"})
    refuses("P3", lambda: summarise(read_tar(reader(data))))
