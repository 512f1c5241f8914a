"""What stands in the demo's documents; all of it is made up."""

from decimal import Decimal
from typing import Final

IBAN: Final = "DE60 5009 9921 0012 3456 78"
VAT_ID: Final = "DE314285709"

# A line that starts with "# " is a heading.
HANDOVER: Final = (
    (
        "# Handover report for a rented flat",
        "Tidewater Lettings, 12 Harbour Street, Bremen",
        "Date of handover: 28 February 2025",
        "",
        "Landlord: Tidewater Lettings",
        "Tenant moving in: Marta Lindqvist",
        "Flat: 3rd floor left, 67 square metres, two rooms",
        "Address: 48 Lime Tree Lane, 28195 Bremen",
        "",
        "The tenancy begins on 1 March 2025 and has no fixed end.",
        "The monthly rent is EUR 845.00, due on the third working",
        "day of each month. Heating and water are paid in advance",
        "with EUR 165.00 a month. The deposit is EUR 2,535.00, to",
        "be paid in three equal parts.",
        "",
        "The flat was visited by both parties in daylight. What",
        "was found is written on the following pages. Anything not",
        "named there was in good order and clean.",
    ),
    (
        "# Rooms and meters",
        "Living room: walls freshly painted white. The oak floor",
        "has a scratch of about 40 cm in front of the balcony door.",
        "",
        "Bedroom: no defects. The roller blind runs smoothly.",
        "",
        "Kitchen: stove, oven and sink tested. The handle of the",
        "second drawer is loose; the landlord repairs it by",
        "14 March 2025.",
        "",
        "Bathroom: one tile above the bath is cracked. The tap",
        "drips; a plumber is ordered for 5 March 2025.",
        "",
        "Electricity meter 4471 902: 18,304.6 kWh",
        "Cold water meter 77 1205: 312.48 cubic metres",
        "Warm water meter 77 1206: 145.02 cubic metres",
        "Heating meter 9 0038: 6,917 units",
    ),
    (
        "# Keys and signatures",
        "Handed over: 2 keys for the front door, 2 for the flat,",
        "1 for the letter box, 1 for the cellar. A lost key is",
        "replaced at the tenant's expense.",
        "",
        "Account for the rent: " + IBAN,
        "Reference: LTL-48-3L",
        "Questions: lettings@tidewater.example",
        "Telephone: +49 30 23125 417",
        "",
        "Both parties have read this report, agree with it and",
        "have received a copy.",
        "",
        "Bremen, 28 February 2025",
        "",
        "For the landlord: J. Okafor",
        "Tenant: M. Lindqvist",
    ),
)

INVOICE_TITLE: Final = "Invoice 2025-0417"
INVOICE_HEAD: Final = f"""Fernwood Instruments GmbH
Kastanienweg 7, 10999 Berlin
VAT ID: {VAT_ID}
E-mail: billing@fernwood.example
Phone: +49 30 23125 512

Bill to:
Northlight Observatory Association
Attn. Dr. Ines Carvalho
3 Summit Road, 87509 Immenstadt

Invoice number: 2025-0417
Invoice date: 17 March 2025
Delivery date: 11 March 2025
Due date: 16 April 2025
Your order: NOA-2291 of 20 January 2025

Dear Dr. Carvalho,

thank you for your order. We have delivered and set up the equipment as agreed; the items, their sums and our account \
are on the next page, the terms of delivery on the last.

If anything is missing or does not work, please call us before you send it back. Most questions are answered within \
one working day.

With kind regards
Tomasz Brandl, Fernwood Instruments GmbH
"""

# description, quantity, price of one in EUR
ITEMS: Final = (
    ("Dew heater band, 280 mm", 4, Decimal("38.50")),
    ("Focus motor with controller", 2, Decimal("214.00")),
    ("Guide camera, monochrome", 1, Decimal("389.90")),
    ("Mounting plate, anodised", 3, Decimal("62.75")),
    ("Power distribution box, 12 V", 2, Decimal("128.40")),
    ("Shielded cable, 5 m", 12, Decimal("9.85")),
    ("Calibration panel with dimmer", 1, Decimal("176.00")),
    ("Rotator adapter, M54", 2, Decimal("94.20")),
    ("Weather sensor, cloud and rain", 1, Decimal("455.00")),
    ("Set of filters, 50 mm, in box", 1, Decimal("648.00")),
    ("Work on site, hours", 9, Decimal("85.00")),
    ("Travel, flat rate", 1, Decimal("120.00")),
)
TAX_RATE: Final = Decimal("0.19")
PAYMENT: Final = f"""Please pay by 16 April 2025 to the following account:
Fernwood Instruments GmbH
IBAN: {IBAN}
Reference: 2025-0417
"""

TERMS_TITLE: Final = "Terms of delivery and warranty"
TERMS: Final = """1. Ownership. The goods remain the property of Fernwood Instruments GmbH until they are paid in full.

2. Payment. Invoices are due within 30 days. If payment arrives within 10 days, the customer may deduct 2 % of the \
net amount. Late payments bear interest of 9 percentage points above the base rate.

3. Warranty. We repair or replace parts that fail within 24 months from the delivery date. The warranty does not cover \
damage by lightning, by water that entered through an opened housing, or by a supply of more than 13.8 V.

4. Returns. Unused goods can be returned within 14 days from delivery in their original box. Please write to \
returns@fernwood.example first; we then send a label.

5. Data. We keep the names and addresses of this order for ten years, as the law on accounting demands, and use them \
for nothing else.

6. Place of jurisdiction is Berlin.
"""

# what stands left, and the price; a line without a price is centred
RECEIPT: Final = (
    ("CORNER BAKERY PELLWORM", ""),
    ("9 Mill Yard, 25849 Pellworm", ""),
    ("VAT ID: DE314285709", ""),
    ("", ""),
    ("Receipt 00318", "08.03.2025"),
    ("Till 2", "08:47"),
    ("", ""),
    ("Rye bread 1 kg", "4.80"),
    ("4 x Poppy roll", "2.60"),
    ("Plum cake", "3.45"),
    ("Butter 250 g", "2.99"),
    ("2 x Coffee, large", "6.40"),
    ("Orange juice 0.3 l", "3.20"),
    ("", ""),
    ("TOTAL EUR", "23.44"),
    ("Cash", "30.00"),
    ("Change", "6.56"),
    ("", ""),
    ("incl. VAT 7 %", "1.53"),
    ("", ""),
    ("Thank you and see you tomorrow!", ""),
)
