"""Office files, web pages and mails as small as they can be, written by hand."""

import base64
import io
import zipfile
import zlib
from collections.abc import Mapping
from email.message import EmailMessage

_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_ML = "application/vnd.openxmlformats-officedocument"
_ODF = "urn:oasis:names:tc:opendocument:xmlns"


def zipped(members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP file of these members, in their order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def _relations(*targets: tuple[str, str]) -> str:
    each = (
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{"".join(each)}</Relationships>'


def _package(main: str, content_type: str, members: Mapping[str, str | bytes]) -> bytes:
    types = (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="rels" ContentType="{_PACKAGE.replace("http://schemas.", "application/vnd.")}"/>'
        f'<Override PartName="/{main}" ContentType="{_ML}.{content_type}+xml"/></Types>'
    )
    return zipped({"[Content_Types].xml": types, "_rels/.rels": _relations(("officeDocument", main)), **members})


def word(*paragraphs: str, raw: str = "", more: Mapping[str, str | bytes] | None = None) -> bytes:
    """A Word document of plain paragraphs, then the WordprocessingML of `raw`."""
    said = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    namespace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    body = f'<w:document xmlns:w="{namespace}"><w:body>{said}{raw}</w:body></w:document>'
    return _package("word/document.xml", "wordprocessingml.document.main", {"word/document.xml": body, **(more or {})})


def workbook(**sheets: list[list[str]]) -> bytes:
    """An Excel workbook of texts."""
    namespace = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    members: dict[str, str | bytes] = {}
    listed = ""
    for number, (name, rows) in enumerate(sheets.items(), start=1):
        listed += f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
        cells = "".join(
            "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
        )
        members[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{namespace}"><sheetData>{cells}</sheetData></worksheet>'
        )
    members["xl/workbook.xml"] = (
        f'<workbook xmlns="{namespace}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
    )
    targets = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    members["xl/_rels/workbook.xml.rels"] = _relations(*targets)
    return _package("xl/workbook.xml", "spreadsheetml.sheet.main", members)


def slides(*texts: str) -> bytes:
    """A PowerPoint presentation of slides with one text each."""
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    namespace = "http://schemas.openxmlformats.org/presentationml/2006/main"
    spaces = f'xmlns:a="{drawing}" xmlns:p="{namespace}" xmlns:r="{_OFFICE}"'
    members: dict[str, str | bytes] = {}
    for number, text in enumerate(texts, start=1):
        members[f"ppt/slides/slide{number}.xml"] = (
            f"<p:sld {spaces}><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody>"
            "</p:sp></p:spTree></p:cSld></p:sld>"
        )
    listed = "".join(f'<p:sldId id="{255 + number}" r:id="rId{number}"/>' for number in range(1, len(texts) + 1))
    members["ppt/presentation.xml"] = f"<p:presentation {spaces}><p:sldIdLst>{listed}</p:sldIdLst></p:presentation>"
    targets = [("slide", f"slides/slide{number}.xml") for number in range(1, len(texts) + 1)]
    members["ppt/_rels/presentation.xml.rels"] = _relations(*targets)
    return _package("ppt/presentation.xml", "presentationml.presentation.main", members)


def open_document(kind: str, body: str, styles: str = "", manifest: str = "") -> bytes:
    """An OpenDocument file of `kind` (text, spreadsheet, presentation) with this body."""
    spaces = " ".join(f'xmlns:{prefix}="{_ODF}:{prefix}:1.0"' for prefix in ("office", "text", "table", "style"))
    spaces += f' xmlns:draw="{_ODF}:drawing:1.0" xmlns:fo="{_ODF}:xsl-fo-compatible:1.0"'
    content = (
        f"<office:document-content {spaces}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    media_type = f"application/vnd.oasis.opendocument.{kind}"
    return zipped({"mimetype": media_type, "content.xml": content, "META-INF/manifest.xml": f"<m>{manifest}</m>"})


def compound(*streams: str) -> bytes:
    """An OLE compound file with streams of these names and nothing in them ([MS-CFB])."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    header[30:32] = (9).to_bytes(2, "little")  # sectors of 512 bytes; the directory is the first of them
    directory = b""
    for name in ("Root Entry", *streams):
        encoded = (name + "\0").encode("utf-16-le")
        directory += encoded.ljust(64, b"\0") + len(encoded).to_bytes(2, "little") + bytes(62)
    return bytes(header) + directory.ljust(1024, b"\0")


def mail(text: str, **attachments: bytes) -> EmailMessage:
    """A mail with attachments, which are named by their keys with the last `_` as a point."""
    message = EmailMessage()
    message["From"], message["To"] = "Jörg Müller <joerg@example.org>", "office@example.com"
    message["Subject"] = "Größe der Boje"
    message.set_content(text)
    for name, data in attachments.items():
        filename = ".".join(name.rsplit("_", 1))
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=filename)
    return message


# An Excel 97 workbook with the sheets "Alt" (A1 "XLS cell XC-1", B2 12.5) and "Z" (A1 "zwei"), written with xlwt.
OLD_WORKBOOK = zlib.decompress(
    base64.b64decode(
        "eNrtWE9IFFEY/73ZHfdP7jqra6CBDUJWagfp0sVGi7JDidWhRYRadQ7isMYiRB7Ksj1FEHQqugheulhd+kMd6tYhUOoQBMFuHTsFBR10p+99O2Pr"
        "n4MLupS83/B+75vv/X/ve9/Me4sLifzs0+YC1uAoAii6EdSU6QSFiP9igNJdV4p+HKbgKvxXiIRpIWt0vIq9D8k1lOtdgIYnwbfEwFcKQ7iM/omM"
        "bVYRx7gPaSH70C2CZHsaHlKIo4n7Vc88wtzA/JjzvmbuYc0d5m7KmxeDWLD62494dpzSWjktTizwnMt8Zk0XGvFO2vH1u6KUV0dvdizt/JsJLcFa"
        "zIFWrs/O2Nm0k0eSlnAOv1wT+Onv1Tem0ldXL0D636v1oQ3097QgMA33kpCGmMMuLAZkSgC9zmSOvO0pvbTeg0vYywYqQwxInT5vjtiOY6aOH+qi"
        "Oqau2GNR6Z95Pxur9nOMrbyWeBR1LCe4GoM89tKjHx/ODA9YF1kzzT685On3ya7BxQ1ZggrHOUVb4XbmDuabXOselpuZk2ShFLcNNHrCyRnOc4tT"
        "26idw4yP1v4y+QDJue9nX7TkvlkHSZ7vK0wl5z9Zs2iluRil8vKZQafoFA/uS7y0/Fh4PuELc9M6/xDWDG9srvc5q8MyoiwmmGUOwaP7m+OaFuU2"
        "E7jdQF9FrR7PeAp6yr6L1Zh3scI7a97liHhWsdGsKigoKCgoKCgobDWE9zcvTx3yv1P3/l1D3r3OMoWiuibZsTiHCXom6Vh6AhmKs7hakf3shi78"
        "usQmy/j3hRIXqPUsxjHM/Riv2H7p7CHKx7PpgsbWbaFK2y9W0s9tbv8PJQLq7w=="
    )
)
