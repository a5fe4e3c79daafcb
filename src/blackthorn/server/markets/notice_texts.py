"""The words of notices, in the languages that there are: what happens when, and what one can do.

`{…}` are filled in: dates are ISO days (UTC), `domain` is the enterprise's. A language that is not
here is served in English.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Words:
    """One language: `subjects` and `openings` by kind (`notices.KINDS`), `categories` by name."""

    subjects: dict[str, str]
    openings: dict[str, str]
    dates: str
    deeds: str
    whom: str
    directive_subject: str
    directive: str
    categories: dict[str, str]


_EN: Final = Words(
    subjects={
        "announced": "The service in {market} ends on {stop}",
        "extended": "The service in {market} goes on longer: it ends on {stop}",
        "accelerated": "The service in {market} ends earlier: on {stop}",
        "rescinded": "The service in {market} goes on",
        "read-only": "The service in {market} is read-only now",
        "stopped": "The service in {market} has ended",
        "retrieval": "Fetch what is yours in {market} until {retrieval_end}",
    },
    openings={
        "announced": "The service of {domain} for users in {market} ends. You are one of them.",
        "extended": "The end of the service in {market} was put off. These dates hold now.",
        "accelerated": "The end of the service in {market} was brought forward. These dates hold "
        "now.",
        "rescinded": "The service of {domain} in {market} does not end. Nothing was destroyed, "
        "you need do nothing, and everything works as before.",
        "read-only": "The service in {market} is read-only now: you can log in, read, export and "
        "forward, and send nothing new.",
        "stopped": "The service in {market} has ended. Mail to you is not taken any more.",
        "retrieval": "You can log in again to fetch and export what is yours, and nothing else.",
    },
    dates="""What happens when:
  {read_only}  read-only: you can log in, read and export; nothing new is sent
  {stop}  the service ends; mail to you is refused, with your new address if you choose one
  {retrieval_end}  the last day to fetch and export what is yours
  {forwarding_end}  until then senders are told your new address
After the last day of retrieval what is sealed for you on the server is destroyed by two people and
opens never again. What is on your own devices stays yours.""",
    deeds="""What you can do:
  blackthorn export FOLDER            take everything along, in formats of other programs
  blackthorn market forward ADDRESS   have senders told your new address (--none takes it back)
  blackthorn market notice            read this again, and say that you have read it
  blackthorn market receipt --out FILE  your receipt, once the closure is prepared
If you belong to another country now, ask your administrator to move you there with
`blackthorn user move`. What is sealed for you goes along.""",
    whom="Questions: postmaster@{domain}, or your administrator.",
    directive_subject="Data of your account was given to an authority ({directive})",
    directive="""An authority has demanded data of your account, and it was given.
  directive:   {directive}
  authority:   {authority}
  country:     {country}
  kind:        {kind}
  categories:  {categories}
What is sealed for you was given sealed, as it lies here: the server cannot open it. The decisions
stand in the enterprise's ledger and in its published report.""",
    categories={
        "account-facts": "facts of the account",
        "sealed-mail": "sealed mail",
        "waiting-parcels": "sealed messages that waited",
        "identity-chain": "identity chain",
        "ledger-entries": "ledger entries",
    },
)

_DE: Final = Words(
    subjects={
        "announced": "Der Dienst in {market} endet am {stop}",
        "extended": "Der Dienst in {market} läuft länger: er endet am {stop}",
        "accelerated": "Der Dienst in {market} endet früher: am {stop}",
        "rescinded": "Der Dienst in {market} geht weiter",
        "read-only": "Der Dienst in {market} ist jetzt nur noch lesbar",
        "stopped": "Der Dienst in {market} ist beendet",
        "retrieval": "Holen Sie Ihre Daten in {market} bis {retrieval_end} ab",
    },
    openings={
        "announced": "Der Dienst von {domain} für Nutzer in {market} endet. Das betrifft Sie.",
        "extended": "Das Ende des Dienstes in {market} wurde verschoben. Jetzt gelten diese Tage.",
        "accelerated": "Das Ende des Dienstes in {market} wurde vorgezogen. Jetzt gelten diese "
        "Tage.",
        "rescinded": "Der Dienst von {domain} in {market} endet nicht. Nichts wurde zerstört, Sie "
        "müssen nichts tun, und alles geht wie zuvor.",
        "read-only": "Der Dienst in {market} ist jetzt nur noch lesbar: Sie können sich anmelden, "
        "lesen, exportieren und weiterleiten, aber nichts Neues senden.",
        "stopped": "Der Dienst in {market} ist beendet. Mail an Sie wird nicht mehr angenommen.",
        "retrieval": "Sie können sich wieder anmelden, um Ihre Daten zu holen und zu exportieren, "
        "und für nichts anderes.",
    },
    dates="""Was wann geschieht:
  {read_only}  nur noch lesbar: anmelden, lesen, exportieren; nichts Neues wird gesendet
  {stop}  der Dienst endet; Mail wird abgelehnt, mit Ihrer neuen Adresse, wenn Sie eine nennen
  {retrieval_end}  der letzte Tag, um Ihre Daten zu holen und zu exportieren
  {forwarding_end}  bis dahin erfahren Absender Ihre neue Adresse
Nach dem letzten Tag der Abholung wird von zwei Menschen zerstört, was auf dem Server für Sie
versiegelt liegt; es lässt sich nie mehr öffnen. Was auf Ihren Geräten ist, bleibt Ihres.""",
    deeds="""Was Sie tun können:
  blackthorn export FOLDER            alles mitnehmen, in Formaten anderer Programme
  blackthorn market forward ADDRESS   Absendern die neue Adresse nennen (--none nimmt es zurück)
  blackthorn market notice            dies noch einmal lesen und sagen, dass Sie es gelesen haben
  blackthorn market receipt --out FILE  Ihre Quittung, sobald die Schließung vorbereitet ist
Wenn Sie jetzt in ein anderes Land gehören, bitten Sie Ihre Administration um den Umzug:
`blackthorn user move`. Was für Sie versiegelt ist, zieht mit.""",
    whom="Fragen: postmaster@{domain}, oder Ihre Administration.",
    directive_subject="Daten Ihres Kontos wurden einer Behörde gegeben ({directive})",
    directive="""Eine Behörde hat Daten Ihres Kontos verlangt, und sie wurden ihr gegeben.
  Anordnung:   {directive}
  Behörde:     {authority}
  Land:        {country}
  Art:         {kind}
  Kategorien:  {categories}
Was für Sie versiegelt ist, wurde versiegelt gegeben, wie es hier liegt: der Server kann es nicht
öffnen. Die Entscheidungen stehen im Ledger des Unternehmens und in seinem Bericht.""",
    categories={
        "account-facts": "Angaben zum Konto",
        "sealed-mail": "versiegelte Mail",
        "waiting-parcels": "versiegelte wartende Nachrichten",
        "identity-chain": "Identitätskette",
        "ledger-entries": "Einträge des Ledgers",
    },
)

_FR: Final = Words(
    subjects={
        "announced": "Le service en {market} se termine le {stop}",
        "extended": "Le service en {market} dure plus longtemps : il se termine le {stop}",
        "accelerated": "Le service en {market} se termine plus tôt : le {stop}",
        "rescinded": "Le service en {market} continue",
        "read-only": "Le service en {market} est maintenant en lecture seule",
        "stopped": "Le service en {market} est terminé",
        "retrieval": "Récupérez ce qui est à vous en {market} avant le {retrieval_end}",
    },
    openings={
        "announced": "Le service de {domain} pour les utilisateurs en {market} se termine. Vous "
        "en faites partie.",
        "extended": "La fin du service en {market} est reportée. Voici les dates valables.",
        "accelerated": "La fin du service en {market} est avancée. Voici les dates valables.",
        "rescinded": "Le service de {domain} en {market} ne se termine pas. Rien n'a été détruit, "
        "vous n'avez rien à faire, et tout fonctionne comme avant.",
        "read-only": "Le service en {market} est en lecture seule : vous pouvez vous connecter, "
        "lire, exporter et faire suivre, mais rien envoyer de nouveau.",
        "stopped": "Le service en {market} est terminé. Le courrier pour vous n'est plus accepté.",
        "retrieval": "Vous pouvez vous reconnecter pour récupérer et exporter ce qui est à vous, "
        "et rien d'autre.",
    },
    dates="""Ce qui se passe, et quand :
  {read_only}  lecture seule : se connecter, lire, exporter ; rien de nouveau n'est envoyé
  {stop}  le service se termine ; le courrier est refusé, avec votre nouvelle adresse si donnée
  {retrieval_end}  dernier jour pour récupérer et exporter ce qui est à vous
  {forwarding_end}  jusque-là votre nouvelle adresse est indiquée aux expéditeurs
Après ce dernier jour, deux personnes détruisent ce qui est scellé pour vous sur le serveur ; rien
ne pourra plus l'ouvrir. Ce qui est sur vos appareils reste à vous.""",
    deeds="""Ce que vous pouvez faire :
  blackthorn export FOLDER            tout emporter, dans les formats d'autres programmes
  blackthorn market forward ADDRESS   indiquer votre nouvelle adresse (--none l'annule)
  blackthorn market notice            relire ceci, et dire que vous l'avez lu
  blackthorn market receipt --out FILE  votre reçu, quand la fermeture est préparée
Si vous êtes maintenant d'un autre pays, demandez à votre administrateur de vous y transférer :
`blackthorn user move`. Ce qui est scellé pour vous vous suit.""",
    whom="Questions : postmaster@{domain}, ou votre administrateur.",
    directive_subject="Des données de votre compte ont été remises à une autorité ({directive})",
    directive="""Une autorité a demandé des données de votre compte, et elles lui ont été remises.
  demande :     {directive}
  autorité :    {authority}
  pays :        {country}
  nature :      {kind}
  catégories :  {categories}
Ce qui est scellé pour vous a été remis scellé, tel qu'il est ici : le serveur ne peut l'ouvrir.
Les décisions figurent dans le registre de l'entreprise et dans son rapport publié.""",
    categories={
        "account-facts": "informations du compte",
        "sealed-mail": "courrier scellé",
        "waiting-parcels": "messages scellés en attente",
        "identity-chain": "chaîne d'identité",
        "ledger-entries": "entrées du registre",
    },
)

_UR: Final = Words(
    subjects={
        "announced": "{market} میں سروس {stop} کو ختم ہو رہی ہے",
        "extended": "{market} میں سروس مزید جاری رہے گی: اب {stop} کو ختم ہوگی",
        "accelerated": "{market} میں سروس پہلے ختم ہوگی: {stop} کو",
        "rescinded": "{market} میں سروس جاری رہے گی",
        "read-only": "{market} میں سروس اب صرف پڑھنے کے لیے ہے",
        "stopped": "{market} میں سروس ختم ہو گئی ہے",
        "retrieval": "{market} میں اپنا مواد {retrieval_end} تک لے لیں",
    },
    openings={
        "announced": "{market} کے صارفین کے لیے {domain} کی سروس ختم ہو رہی ہے۔ آپ ان میں سے ہیں۔",
        "extended": "{market} میں سروس کا اختتام آگے بڑھا دیا گیا ہے۔ اب یہ تاریخیں درست ہیں۔",
        "accelerated": "{market} میں سروس کا اختتام پہلے کر دیا گیا ہے۔ اب یہ تاریخیں درست ہیں۔",
        "rescinded": "{market} میں {domain} کی سروس ختم نہیں ہوگی۔ کچھ ضائع نہیں کیا گیا، آپ کو "
        "کچھ کرنے کی ضرورت نہیں، اور سب کچھ پہلے کی طرح چلے گا۔",
        "read-only": "{market} میں سروس اب صرف پڑھنے کے لیے ہے: آپ لاگ اِن، پڑھ، برآمد اور آگے "
        "بھیجنے کا پتہ دے سکتے ہیں، مگر کچھ نیا نہیں بھیج سکتے۔",
        "stopped": "{market} میں سروس ختم ہو گئی ہے۔ آپ کے نام کی میل اب قبول نہیں کی جاتی۔",
        "retrieval": "آپ دوبارہ لاگ اِن ہو کر اپنا مواد لے اور برآمد کر سکتے ہیں، اور کچھ نہیں۔",
    },
    dates="""کب کیا ہوگا:
  {read_only}  صرف پڑھنا: لاگ اِن، پڑھنا اور برآمد ممکن؛ نیا کچھ نہیں بھیجا جائے گا
  {stop}  سروس ختم؛ آپ کی میل واپس ہوگی، اور اگر آپ نیا پتہ دیں تو اس کے ساتھ
  {retrieval_end}  اپنا مواد لینے اور برآمد کرنے کا آخری دن
  {forwarding_end}  اس وقت تک بھیجنے والوں کو آپ کا نیا پتہ بتایا جائے گا
آخری دن کے بعد سرور پر آپ کے لیے مہر بند مواد دو افراد ضائع کر دیں گے اور وہ پھر کبھی نہیں کھلے
گا۔ جو آپ کے اپنے آلات پر ہے وہ آپ ہی کا رہے گا۔""",
    deeds="""آپ کیا کر سکتے ہیں:
  blackthorn export FOLDER            سب کچھ دوسرے پروگراموں کی شکلوں میں ساتھ لے جائیں
  blackthorn market forward ADDRESS   بھیجنے والوں کو اپنا نیا پتہ بتائیں (--none واپس لیتا ہے)
  blackthorn market notice            یہ دوبارہ پڑھیں، اور بتائیں کہ آپ نے پڑھ لیا
  blackthorn market receipt --out FILE  آپ کی رسید، جب اختتام کی تیاری ہو جائے
اگر آپ اب کسی اور ملک سے ہیں تو اپنے منتظم سے منتقلی کا کہیں: `blackthorn user move`۔ آپ کے لیے
مہر بند مواد ساتھ جائے گا۔""",
    whom="سوالات: postmaster@{domain}، یا آپ کا منتظم۔",
    directive_subject="آپ کے اکاؤنٹ کا ڈیٹا ایک ادارے کو دیا گیا ({directive})",
    directive="""ایک سرکاری ادارے نے آپ کے اکاؤنٹ کا ڈیٹا طلب کیا، اور وہ دے دیا گیا۔
  حکم:      {directive}
  ادارہ:    {authority}
  ملک:      {country}
  قسم:      {kind}
  زمرے:     {categories}
جو آپ کے لیے مہر بند ہے وہ مہر بند ہی دیا گیا، جیسا یہاں پڑا ہے: سرور اسے نہیں کھول سکتا۔ فیصلے
ادارے کے لیجر اور اس کی شائع شدہ رپورٹ میں درج ہیں۔""",
    categories={
        "account-facts": "اکاؤنٹ کی معلومات",
        "sealed-mail": "مہر بند میل",
        "waiting-parcels": "منتظر مہر بند پیغامات",
        "identity-chain": "شناخت کی زنجیر",
        "ledger-entries": "لیجر کے اندراجات",
    },
)

LANGUAGES: Final = {"en": _EN, "ur": _UR, "de": _DE, "fr": _FR}


def words(language: str) -> Words:
    """The words of a language, by its BCP 47 primary tag; English for one that is not here."""
    return LANGUAGES.get(language, _EN)
