"""The words that stand beside a value and say what it is: tables in several languages, and where they occur.

Phrases are written without accents; text is compared through `fold`, which keeps every offset.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final


def _plain(character: str) -> str:
    base = unicodedata.normalize("NFD", character)[0]
    return base if base.isascii() and base.isalpha() else character


# Latin letters with marks (U+00C0 to U+024F) -> the letter; curly apostrophes -> straight; odd spaces -> space
_FOLDED: Final = {code: _plain(chr(code)) for code in range(0xC0, 0x250)} | {0x2019: "'", 0xA0: " ", 0x202F: " "}


def fold(text: str) -> str:
    """The text without accents, character for character: offsets into one are offsets into the other."""
    return text.translate(_FOLDED)


@dataclass(frozen=True, slots=True)
class Label:
    """A phrase found at [start, end) of a text, the field it names, and the phrase as the table has it."""

    field: str
    phrase: str
    start: int
    end: int


class Labels:
    """A table of phrases by field; where phrases overlap, the longer one counts ("net total" is not a total)."""

    def __init__(self, table: Mapping[str, Sequence[str]]) -> None:
        self._fields = {phrase: field for field, phrases in table.items() for phrase in phrases}
        ordered = sorted(self._fields, key=len, reverse=True)
        alternatives = "|".join(re.escape(phrase).replace(r"\ ", r"[ \t]{1,2}") for phrase in ordered)
        self._pattern = re.compile(rf"(?<![^\W_])(?=[a-z])(?:{alternatives})(?![^\W_])", re.IGNORECASE)

    def find(self, folded: str, start: int = 0, end: int | None = None) -> Iterator[Label]:
        """The labels in folded[start:end], in order."""
        for match in self._pattern.finditer(folded, start, len(folded) if end is None else end):
            phrase = " ".join(match.group().lower().split())
            yield Label(self._fields[phrase], phrase, match.start(), match.end())


DATE_LABELS: Final = Labels(
    {
        "date": (
            "invoice date", "date of invoice", "date of issue", "issue date", "issued on", "issued", "receipt date",
            "date", "dated", "bill date", "quote date", "estimate date", "report date", "date of service",
            "rechnungsdatum", "belegdatum", "ausstellungsdatum", "datum", "angebotsdatum", "date de facture",
            "date de facturation", "date facture", "date d'emission", "emise le", "date du devis",
            "fecha de factura", "fecha de emision", "fecha", "data fattura", "data di emissione", "data",
            "data de emissao", "factuurdatum", "fakturadatum", "fakturadato", "dato", "data wystawienia",
        ),
        "due_date": (
            "due date", "payment due date", "payment due", "due by", "due on", "due", "pay by", "payable by",
            "please pay by", "date due", "fallig am", "fallig bis", "fallig", "faellig am", "falligkeitsdatum",
            "falligkeit", "zahlbar bis", "zahlungsziel", "zu zahlen bis", "date d'echeance", "echeance",
            "a payer avant le", "payable avant le", "date limite de paiement", "fecha de vencimiento", "vencimiento",
            "vence", "data di scadenza", "scadenza", "data de vencimento", "vervaldatum", "forfallodatum",
            "forfallsdato", "forfaldsdato", "termin platnosci",
        ),
        "mentioned_date": (
            "date of birth", "birth date", "born", "delivery date", "ship date", "shipped", "order date",
            "date of order", "valid until", "expires", "expiry date", "start date", "end date", "from", "until",
            "lieferdatum", "leistungsdatum", "geburtsdatum", "bestelldatum", "gultig bis", "auftragsdatum",
            "date de livraison", "date de naissance", "date de commande", "valable jusqu'au",
            "fecha de entrega", "fecha de nacimiento", "data di nascita", "data di consegna", "leverdatum",
        ),
    }
)  # fmt: skip

AMOUNT_LABELS: Final = Labels(
    {
        "total": (
            "grand total", "total amount due", "total amount", "total due", "amount due", "balance due",
            "invoice total", "total payable", "amount payable", "total to pay", "total incl. vat",
            "total including vat", "total incl vat", "total inc vat", "total gross", "gross total", "gross amount",
            "estimate total", "quote total", "order total", "total",
            "gesamtbetrag", "gesamtsumme", "rechnungsbetrag", "endbetrag", "endsumme", "bruttobetrag", "gesamt brutto",
            "gesamtbetrag brutto", "summe brutto", "brutto", "zu zahlen", "zu zahlender betrag", "zahlbetrag",
            "gesamt", "summe", "summe eur",
            "total ttc", "montant ttc", "montant total ttc", "montant total", "total a payer", "net a payer",
            "importe total", "total a pagar", "total factura", "totale fattura", "totale documento",
            "totale da pagare", "totale complessivo", "totale", "totaal te betalen", "totaal incl. btw",
            "totaalbedrag", "totaal", "att betala", "razem", "do zaplaty",
        ),
        "net": (
            "subtotal", "sub-total", "sub total", "net total", "total net", "net amount", "net", "total excl. vat",
            "total excluding vat", "total excl vat", "total ex vat", "total before tax", "amount before tax",
            "zwischensumme", "nettobetrag", "gesamt netto", "netto gesamt", "summe netto", "nettosumme", "netto",
            "total ht", "montant ht", "total hors taxes", "montant total ht", "sous-total", "sous total",
            "base imponible", "subtotal neto", "imponibile", "totale imponibile", "totale netto", "subtotale",
            "subtotaal", "totaal excl. btw", "totaal exclusief btw", "suma netto",
        ),
        "tax": (
            "vat", "vat amount", "total vat", "sales tax", "tax", "taxes", "total tax", "tax amount", "gst", "hst",
            "pst", "mwst", "mwst.", "ust", "ust.", "mehrwertsteuer", "umsatzsteuer", "zzgl. mwst", "zzgl. mwst.",
            "zzgl. ust", "zzgl. ust.", "zzgl. mehrwertsteuer", "zzgl. umsatzsteuer", "enth. mwst", "inkl. mwst",
            "tva", "total tva", "montant tva", "montant de la tva", "iva", "totale iva", "importe iva", "cuota iva",
            "btw", "btw-bedrag", "moms", "mva", "steuer",
        ),
    }
)  # fmt: skip

NUMBER_LABELS: Final = Labels(
    {
        "invoice_number": (
            "invoice", "inv", "tax invoice", "bill", "rechnung", "rechnungsnummer", "rechnungs-nummer",
            "rechnungs-nr", "rechnungsnr", "rg-nr", "facture", "factura", "fattura", "fatura", "factuur",
            "factuurnummer", "faktura", "fakturanummer",
        ),
        "receipt_number": (
            "receipt", "txn", "transaction", "trans", "belegnummer", "beleg-nr", "belegnr", "beleg", "bon", "bon-nr",
            "quittung", "recu", "ticket", "ticket de caisse", "recibo", "scontrino", "bonnummer", "kvitto",
        ),
        "po_number": (
            "purchase order", "po", "p.o.", "your order", "bestellnummer", "bestell-nr", "bestellung", "bestellnr",
            "bon de commande", "commande", "pedido", "ordine", "orden de compra", "bestelnummer", "inkooporder",
        ),
        "quote_number": (
            "quote", "quotation", "angebot", "angebotsnummer", "angebots-nr", "devis", "presupuesto", "preventivo",
            "offerte", "offertenummer", "offert",
        ),
        "estimate_number": ("estimate", "kostenvoranschlag", "kostenvoranschlagsnummer"),
        "report_number": ("report", "bericht", "berichtsnummer", "rapport", "informe"),
        "reference": (
            "reference", "ref", "your ref", "our ref", "your reference", "our reference", "customer reference",
            "payment reference", "case", "claim", "policy", "contract", "order", "file", "booking", "aktenzeichen",
            "referenz", "referenznummer", "ihr zeichen", "unser zeichen", "verwendungszweck", "auftrag",
            "auftragsnummer", "vertragsnummer", "votre reference", "notre reference", "dossier", "referencia",
            "riferimento", "referentie", "kenmerk", "betalingskenmerk",
        ),
    }
)  # fmt: skip

PARTY: Final = (  # who issued it
    "from", "seller", "vendor", "supplier", "sold by", "issued by", "bill from", "merchant", "verkaufer", "lieferant",
    "rechnungssteller", "aussteller", "fournisseur", "vendeur", "emetteur", "proveedor", "vendedor", "emisor",
    "fornitore", "venditore", "leverancier", "verkoper",
)  # fmt: skip
COUNTERPARTY: Final = (  # who it was issued to
    "bill to", "billed to", "invoice to", "ship to", "sold to", "deliver to", "customer", "client", "attn",
    "prepared for", "to", "kunde", "rechnung an", "rechnungsempfanger", "lieferadresse", "lieferung an", "empfanger",
    "facture a", "adresse a", "livre a", "destinataire", "cliente", "facturar a", "spett.le", "destinatario", "klant",
    "factuuradres", "insured name", "patient name", "name",
)  # fmt: skip
