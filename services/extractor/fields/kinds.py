"""Which kind of document a text is: a table of evidence in several languages, and its score. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from services.extractor.fields.labels import fold

UNKNOWN: Final = "unknown"
TRADE: Final = frozenset({"invoice", "receipt", "quote", "estimate"})  # kinds that have a vendor

# kind -> weight -> phrases without accents; 3 = names the kind, 2 = belongs to it, 1 = often in it
EVIDENCE: Final[Mapping[str, Mapping[int, str]]] = {
    "invoice": {
        3: "invoice|tax invoice|invoice number|invoice date|rechnung|rechnungsnummer|rechnungsdatum|facture|factura"
        "|fattura|fatura|factuur|factuurnummer|faktura",
        2: "bill to|amount due|balance due|rechnungsbetrag|zahlbar bis|net a payer|total ttc|montant ttc|importe total",
        1: "due date|payment terms|vat|subtotal|iban|mwst|ust-idnr|tva|iva|btw|echeance|net total",
    },
    "receipt": {
        3: "receipt|kassenbon|quittung|kassenbeleg|ticket de caisse|recu|recibo|scontrino|bonnetje|kvitto",
        2: "cashier|kasse|txn|register|thank you for shopping|card ending|call again|change due"
        "|return policy|caisse|approval code|auth",
        1: "visa|mastercard|payment method|subtotal|cash|karte|total|sales tax",
    },
    "quote": {
        3: "quote|quotation|angebot|angebotsnummer|devis|presupuesto|preventivo|offerte|offert",
        2: "valid until|gultig bis|valable jusqu'au|prepared for",
        1: "total|subtotal",
    },
    "estimate": {
        3: "estimate|preliminary estimate|kostenvoranschlag|estimate totals",
        2: "estimator|estimated cost|repair order",
        1: "labor|parts|subtotal",
    },
    "letter": {
        3: "dear|yours sincerely|yours faithfully|sincerely|sehr geehrte|mit freundlichen grussen|cher|chere"
        "|veuillez agreer|cordialement|estimado|estimada|atentamente|egregio|distinti saluti|geachte",
        2: "kind regards|best regards|to whom it may concern|madame, monsieur|hochachtungsvoll|hoogachtend",
        1: "regards|enclosure|encl|betreff|objet",
    },
    "contract": {
        3: "hereinafter|in witness whereof|this agreement|contract|mietvertrag|vertrag|kaufvertrag|contrat|contrato"
        "|contratto|lease agreement|lease",
        2: "whereas|governing law|the parties|terms and conditions|termination|vertragsparteien|tenant|landlord|lessee"
        "|mieter|vermieter",
        1: "agreement|party|parties|liability|clause|rent",
    },
    "report": {
        3: "report|annual report|bericht|jahresbericht|rapport|informe|relazione|medical report|abstract",
        2: "executive summary|findings|conclusion|conclusions|recommendations|zusammenfassung|table of contents"
        "|methodology|chief complaint",
        1: "figure|table|introduction|references|summary|assessment",
    },
    "book": {3: "chapter|kapitel|chapitre|capitulo|capitolo", 2: "isbn|prologue|epilogue|foreword", 1: "volume"},
    "form": {
        3: "application form|please complete|formular|formulaire|formulario|modulo|please print|fill in",
        2: "applicant|tick|check one|block capitals|date of birth|antragsteller|geburtsdatum|☐",
        1: "signature|unterschrift|surname|first name|yes/no",
    },
    "minutes": {
        3: "minutes of|meeting minutes|protokoll|sitzungsprotokoll|compte rendu|proces-verbal|acta de|verbale",
        2: "attendees|apologies|agenda|action items|action code|anwesend|tagesordnung"
        "|ordre du jour|present:|next meeting",
        1: "meeting|chair|adjourned|sitzung|reunion",
    },
    "recipe": {
        3: "ingredients|zutaten|ingredientes|ingredienti|recipe|rezept|recette",
        2: "preheat|tbsp|tsp|tablespoon|teaspoon|simmer|vorheizen|essloffel|prechauffer|serves|servings",
        1: "oven|stir|bake|cup|cups|flour|butter|salt",
    },
}
THRESHOLD: Final = 4.0  # one phrase that names the kind, and something else or the head's double weight
COUNTED: Final = 2  # occurrences of a phrase that count
HEAD_LINES: Final = 8  # lines with text at the top, which count twice
READ: Final = 20_000  # characters looked at
BOOK_PAGES: Final = 60
_HEADER: Final = re.compile(
    r"^(?:from|to|subject|date|cc|von|an|betreff|de|objet|para|asunto):[ \t]{0,4}\S", re.IGNORECASE | re.MULTILINE
)


def _pattern(phrases: list[str]) -> re.Pattern[str]:
    ordered = sorted(phrases, key=len, reverse=True)
    alternatives = "|".join(re.escape(phrase).replace(r"\ ", r"\s{1,3}") for phrase in ordered)
    return re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])", re.IGNORECASE)


_WEIGHTS: Final = {
    kind: {phrase: weight for weight, phrases in table.items() for phrase in phrases.split("|")}
    for kind, table in EVIDENCE.items()
}
_PATTERNS: Final = {kind: _pattern(list(weights)) for kind, weights in _WEIGHTS.items()}
NAMES: Final = _pattern([phrase for table in EVIDENCE.values() for phrase in table[3].split("|")])


def kind_of(text: str, pages: int) -> str:
    """The kind with the most evidence in the text's beginning; "unknown" below the threshold."""
    scores = score_kinds(text, pages)
    kind = max(scores, key=lambda name: scores[name])
    return kind if scores[kind] >= THRESHOLD else UNKNOWN


def score_kinds(text: str, pages: int) -> dict[str, float]:
    """The evidence for each kind: weights of the phrases found, twice in the head, plus the weight of the structure."""
    folded = fold(text[:READ])
    head = "\n".join([line for line in folded[:4_000].splitlines() if line.strip()][:HEAD_LINES])
    scores = {kind: _score(kind, folded) + _score(kind, head) for kind in EVIDENCE}
    scores["email"] = 3.0 * min(4, len(set(_HEADER.findall(head))) - 1) if _HEADER.search(head) else 0.0
    if pages >= BOOK_PAGES:
        scores["book"] += 2 + min(4, pages / BOOK_PAGES)
    return scores


def _score(kind: str, folded: str) -> float:
    counts: dict[str, int] = {}
    for match in _PATTERNS[kind].finditer(folded):
        phrase = " ".join(match.group().lower().split())
        counts[phrase] = counts.get(phrase, 0) + 1
    return float(sum(_WEIGHTS[kind][phrase] * (1 + (count >= COUNTED) * 0.5) for phrase, count in counts.items()))
