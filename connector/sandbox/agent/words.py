"""The vocabulary of the seeded data: people, places and trades of a North American distributor.

Chosen to hold what breaks naive code: Windows-1252 letters and punctuation, ampersands and
apostrophes, names of one word, names in reverse and with letters behind, three countries. All
addresses are invented; mail and web domains end in `.example`, which nobody can own.
"""

from __future__ import annotations


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


SURNAMES = _listed(
    "Smith|Johnson|Garcia|Müller|O'Neill|Nguyen|Peterson|Gonçalves|Åkesson|Núñez|D'Angelo|"
    "Lefèvre|Schröder|MacDonald|Tremblay|Hernández|Brown|Williams|Kowalski|Fitzgerald|Ibáñez|"
    "Thompson|Beauchêne|Novák|Žižka|Šimek|Carter|Larsen|Østby|Washington|Castañeda|Reyes"
)

GIVEN_NAMES = _listed(
    "James|Mary|Robert|Patricia|José|Linda|Michael|Zoë|William|Chloë|David|Renée|Jean-Luc|Susan|"
    "Joseph|Núria|Thomas|Siân|Carlos|Nancy|Daniel|María|Anthony|Françoise|Mark|Ana|Steven|Kim"
)

TRADES = _listed(
    "Plumbing|Electric Supply|Hardware|Industrial Supply|Building Products|Machine & Tool|"
    "Café Equipment|Marine|Auto Parts|Packaging|Medical Supplies|Steel|Foods|Lumber|Furniture|"
    "Office Products|Brewing|Dental Lab|Fasteners|Safety Products|Roofing|Water Systems"
)

STEMS = _listed(
    "American|Northern|Pacific|Great Lakes|Cascade|Blue Ridge|Lone Star|Première|Río Grande|"
    "Summit|Heartland|Golden Gate|Évergreen|Mid–State|Tri-County|First Choice|Big Sky|Old Mill|"
    "Bayou|Acme™|Prairie|Allied|Liberty|Keystone|Sierra|Œuvre|Granite|Niagara"
)

FORMS = (" Inc.", ", LLC", " Co.", " Corp.", ", Ltd.", " & Sons", " S.A. de C.V.", " Group", "", "")

STREETS = _listed(
    "Main Street|N 5th Ave|Industrial Pkwy|County Road 12|W. Peachtree St NW|Rue Saint-Rémi|"
    "Av. Juárez|Harbor Blvd #200|Mill Rd|Commerce Drive, Suite 4|Old Hwy 99|Queen St W"
)

# City, state or province, start of the postal code, country, area code.
PLACES: tuple[tuple[str, str, str, str, str], ...] = (
    ("Irvine", "CA", "926", "USA", "949"),
    ("Milwaukee", "WI", "532", "USA", "414"),
    ("Racine", "WI", "534", "USA", "262"),
    ("Dallas", "TX", "752", "USA", "214"),
    ("Coeur d'Alene", "ID", "838", "USA", "208"),
    ("Española", "NM", "875", "USA", "505"),
    ("Atlanta", "GA", "303", "USA", "404"),
    ("St. Paul", "MN", "551", "USA", "651"),
    ("Winston–Salem", "NC", "271", "USA", "336"),
    ("Portland", "OR", "972", "USA", "503"),
    ("Toronto", "ON", "M5V ", "CAN", "416"),
    ("Montréal", "QC", "H2X ", "CAN", "514"),
    ("Trois-Rivières", "QC", "G9A ", "CAN", "819"),
    ("Monterrey", "NL", "640", "MEX", "+52 81"),
    ("Querétaro", "QT", "760", "MEX", "+52 442"),
)

TITLES = ("Buyer", "Owner", "A/P Clerk", "Controller", "Purchasing Mgr", "CFO", "")

TERMS: tuple[dict[str, str], ...] = (
    {"TermsCode": "00", "TermsCodeDesc": "No Terms"},
    {"TermsCode": "01", "TermsCodeDesc": "Net 30 Days", "DaysBeforeDue": "30"},
    {"TermsCode": "02", "TermsCodeDesc": "Net 15 Days", "DaysBeforeDue": "15"},
    {
        "TermsCode": "03",
        "TermsCodeDesc": "2% 10 Days, Net 30",
        "DaysBeforeDue": "30",
        "DaysBeforeDiscountDue": "10",
        "DiscountRate": "2",
    },
    {
        "TermsCode": "04",
        "TermsCodeDesc": "10th of the Month",
        "DueDateADayOfTheMonth": "Y",
        "DaysBeforeDue": "10",
        "MinimumDaysAllowedInv": "15",
    },
    {"TermsCode": "05", "TermsCodeDesc": "Net 60 Days", "DaysBeforeDue": "60"},
    {
        "TermsCode": "06",
        "TermsCodeDesc": "End of Month, 1% 5th",
        "DueDateADayOfTheMonth": "Y",
        "DiscountDateADayOfTheMo": "Y",
        "DaysBeforeDue": "31",
        "DaysBeforeDiscountDue": "5",
        "MinimumDaysAllowedDisc": "3",
        "DiscountRate": "1",
    },
    {"TermsCode": "CD", "TermsCodeDesc": "C.O.D. – Cash on Delivery"},
)

ITEMS = (
    ("1001-HON-H252", "HON 2 DRAWER LETTER FLE W/O LK"),
    ("6655", "PRINTER STAND W/ BASKET"),
    ("D1400", "CONFERENCE TABLE 90X38 WALNUT"),
    ("GB-MD757", "DISKETTE MAILER 5 1/4 PRESSBRD"),
    ("2480-8-50", 'CABLE 1/2" × 50 FT'),
    ("VALVE-BR-34", "BALL VALVE ¾ BRASS"),
    ("/FREIGHT-IN", "INBOUND SURCHARGE"),
)
