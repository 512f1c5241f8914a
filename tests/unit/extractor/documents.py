"""Documents of our own invention, as a reader of pages gives them, and the stage run on them."""

import json
from pathlib import Path
from typing import Any

from services.extractor import handlers
from shared.harness.contract import Document, Task

GERMAN_INVOICE = """Tischlerei Nordwind GmbH
Am Speicher 12, 24103 Kiel
Tel. 0431 1234567 · info@tischlerei-nordwind.de
USt-IdNr.: DE136695976

Frau Anneke Böhm
Holtenauer Straße 8
24105 Kiel

Rechnung Nr. 2025-0381                     Rechnungsdatum: 03.04.2025
Ihre Bestellung: B-7781                     Zahlbar bis: 17.04.2025

Pos  Bezeichnung            Menge   Einzelpreis   Gesamt
1    Einbauschrank Eiche       1      1.850,00   1.850,00
2    Montage (Std.)           6,5        58,00     377,00

Zwischensumme                                   2.227,00 €
zzgl. 19 % MwSt.                                  423,13 €
Gesamtbetrag                                    2.650,13 €

IBAN: DE89 3704 0044 0532 0130 00  BIC: COBADEFFXXX
"""
FRENCH_INVOICE = """SARL Les Vergers du Loir
14 rue des Tanneurs, 72200 La Flèche
Tél : 02 43 94 00 00 - contact@vergers-du-loir.fr
TVA : FR40303265045

FACTURE N° FA-2024-118
Date : 12 février 2024
Échéance : 13/03/2024
Client : Épicerie Montreuil
Bon de commande : BC-5521

Désignation            Qté     PU HT     Montant
Jus de pomme 1L         240      2,10     504,00
Cidre fermier            96      6,50     624,00

Total HT           1 128,00 €
TVA 5,5 %             62,04 €
Total TTC          1 190,04 €
"""
AMERICAN_INVOICE = """INVOICE
From: Cobalt Lane Studio LLC
Bill To: Harrow Foods Inc.
# 1042
Invoice Date      Due Date
03/04/2025        04/03/2025

Design retainer                     $2,400.00
Subtotal:                           $2,400.00
Sales tax (8.25%):                    $198.00
Shipping:                              $15.00
Total due:                          $2,613.00
Portland, OR 97205  United States
Phone: (503) 226-1240
"""
LETTER = """Harrow Foods Inc.

Dear Mr. Okafor,

Thank you for visiting our bakery in Portland on 12 May 2025. We were glad to hear that the new ovens please you.
The ovens are delivered in the second week of June, and our fitter will call you before he comes.
Please keep the entrance to the bakery free, since the ovens are too wide for the side door.
My colleague wished me to greet you as well.

Yours sincerely,
Ada Harrow
"""


def read_document(pages: list[str]) -> Task:
    """The task of a document with these pages, joined as the OCR stage joins them."""
    text, places = "", []
    for number, page in enumerate(pages, 1):
        text += "\n\n" if text else ""
        places.append({"page": number, "start": len(text), "end": len(text) + len(page), "status": "done"})
        text += page
    document = Document(document_id="d", tenant="t", filename="f", content_type=None, size=1)
    return Task(document, Path("source"), Path("work"), {"ocr": {"text": text, "pages": places}})


def extract(*pages: str) -> dict[str, Any]:
    """The whole stage on these pages, each result passed through JSON as between processes."""
    task = read_document(list(pages))
    plan = handlers.plan(task)
    results = [json.loads(json.dumps(handlers.work(task, slice_))) for slice_ in plan.slices]
    concluded = handlers.conclude(task, plan, results)
    assert json.loads(json.dumps(concluded)) == concluded
    for finding in concluded["findings"]:
        assert task.earlier["ocr"]["text"][finding["start"] : finding["end"]] == finding["value"]
    return concluded


def best_of(extraction: dict[str, Any], field: str) -> str | None:
    """The normalized value of the field's most confident finding."""
    found = [finding for finding in extraction["findings"] if finding["field"] == field]
    return max(found, key=lambda f: f["confidence"])["normalized"] if found else None
