// The server's sentences in German, by code. English is what the server says itself (shared/document/messages.py, shared/errors.py);
// a test holds both sides together. `{name}` is a parameter, `{count|one|other}` the form that goes with a number, and a
// part in brackets is said only where its parameters are known. Strict JSON but for commas and these comments.

export const MESSAGES = {
  "document.uploaded": "Hochgeladen, es geht gleich los",
  "document.processed": "Alle Schritte sind fertig, die Ergebnisse werden gespeichert",
  "document.completed": "Erledigt",
  "document.partial": "Fertig, bis auf {failed} {failed|Teil|Teile}",
  "document.cancelling": "Wird angehalten",
  "document.cancelled": "Angehalten",
  "document.cancel_too_late": "Fertig: es war schneller als das Anhalten",
  "document.failed": "Fehlgeschlagen: {reason}",
  "stage.waiting": "Wartet auf den Schritt davor",
  "stage.planning": "Sieht nach, was zu tun ist",
  "stage.concluding": "Setzt die Teile zusammen",
  "stage.done": "Erledigt",
  "stage.slices_done": "{done} von {total} {total|Teil|Teilen} fertig",
  "stage.waiting_for_space": "Wartet auf Platz: der Datenträger ist voll",
  "queue.waiting": "Wartet, bis ein Arbeiter frei ist[, {ahead} davor]",
  "retry.scheduled": "Versuch {attempt} folgt von selbst: {reason}",
  "worker.lost": "Der Arbeiter ist verschwunden, die Arbeit geht an einen anderen",
  "ocr.pages_done": "Seite {done} von {total} erkannt",
  "ocr.waiting_for_provider": "Wartet auf {provider}, das die Seiten liest",
  "ocr.reading_page": "Liest Seite {page}",
  "chunk.working": "Bettet die Abschnitte ein",
  "extract.working": "Sucht nach Angaben",
  "chunk.embedding": "Bettet Abschnitt {done} von {total} ein",
  "extract.looking": "Sucht nach {field}",
  "job.started": "Begonnen",
  "job.said": "{text}",
  "job.silent": "Kein Lebenszeichen seit mehr als {seconds} {seconds|Sekunde|Sekunden}",
  "job.completed": "Erledigt",
  "job.failed": "Fehlgeschlagen: {reason}",
  "rebuild.replaying": "{done} von {total} {total|Eintrag|Einträgen} nachgespielt",
  "timeline.DocumentUploaded": "Hochgeladen",
  "timeline.StageStarted": "{stage}: begonnen, Versuch {attempt}",
  "timeline.StagePlanned": "{stage}: {slices} {slices|Teil|Teile} geplant",
  "timeline.SliceCompleted.page": "{stage}: Seite {page} fertig",
  "timeline.SliceCompleted.pages": "{stage}: Seiten {first} bis {last} fertig",
  "timeline.SliceCompleted.piece": "{stage}: Teil {piece} fertig",
  "timeline.SliceFailed.page": "{stage}: Seite {page} fehlgeschlagen: {reason}",
  "timeline.SliceFailed.pages": "{stage}: Seiten {first} bis {last} fehlgeschlagen: {reason}",
  "timeline.SliceFailed.piece": "{stage}: Teil {piece} fehlgeschlagen: {reason}",
  "timeline.SliceFailed.plan": "{stage}: Planung fehlgeschlagen: {reason}",
  "timeline.SliceFailed.conclude": "{stage}: Abschluss fehlgeschlagen: {reason}",
  "timeline.WorkerLost.piece": "{stage}: der Arbeiter an Teil {piece} ist verschwunden",
  "timeline.WorkerLost.plan": "{stage}: der Arbeiter an der Planung ist verschwunden",
  "timeline.WorkerLost.conclude": "{stage}: der Arbeiter am Abschluss ist verschwunden",
  "timeline.StageCompleted": "{stage}: fertig",
  "timeline.StageFailed": "{stage}: fehlgeschlagen: {reason}",
  "timeline.RetryScheduled": "{stage}: Versuch {attempt} folgt in {seconds} s",
  "timeline.StageRequested": "{stage}: soll noch einmal laufen, Versuch {attempt}",
  "timeline.DocumentCompleted": "Erledigt",
  "timeline.DocumentCancelled": "Angehalten",
  "timeline.RetryRequested": "Jemand hat um einen neuen Versuch gebeten",
  "timeline.CancelRequested": "Jemand hat es anhalten lassen",
  "timeline.DocumentDeleted": "Jemand hat das Dokument gelöscht",
  "timeline.DocumentErased": "Alles Gespeicherte wurde entfernt",
};

// code: [what happened, what the person can do]
export const ERRORS = {
  "empty_file": ["Die Datei ist leer.", "Prüfen Sie die Datei bei sich und laden Sie sie noch einmal hoch."],
  "unsupported_type": ["Das ist {found}; Pagestream liest es nicht.", "Laden Sie eines davon hoch: {allowed}."],
  "type_mismatch": [
    "Die Datei heißt {declared}, ihr Inhalt ist aber {found}.",
    "Geben Sie der Datei ihren richtigen Namen, oder laden Sie die gemeinte hoch."
  ],
  "corrupt_pdf": [
    "Das PDF ist beschädigt und lässt sich nicht öffnen: {detail}.",
    "Öffnen und speichern Sie es noch einmal, oder exportieren Sie es neu."
  ],
  "corrupt_image": ["Das Bild ist beschädigt: {detail}.", "Speichern Sie es noch einmal, oder scannen Sie die Seite neu."],
  "corrupt_document": [
    "Das Dokument ist beschädigt: {detail}.",
    "Öffnen und speichern Sie es noch einmal, oder exportieren Sie es als PDF."
  ],
  "encrypted": ["Das Dokument ist durch ein Passwort geschützt.", "Entfernen Sie das Passwort und laden Sie es noch einmal hoch."],
  "too_large": [
    "Zu groß ({what}): {got}; die Grenze ist {limit}.",
    "Laden Sie eine kleinere Fassung hoch, oder bitten Sie Ihren Betreiber, {setting} zu erhöhen."
  ],
  "too_many_pages": [
    "Das Dokument hat {got} {got|Seite|Seiten}; die Grenze ist {limit}.",
    "Teilen Sie es auf, oder bitten Sie Ihren Betreiber, {setting} zu erhöhen."
  ],
  "plan_too_large": [
    "Die Stufe {stage} würde das Dokument in {got} {what} zerlegen; erlaubt sind {limit}.",
    "Teilen Sie es auf.",
  ],
  "timeout": [
    "Nach {limit} {limit|Sekunde|Sekunden} abgebrochen: {what}.",
    "Versuchen Sie es noch einmal; geschieht es wieder, laden Sie eine einfachere Fassung der Seite hoch."
  ],
  "out_of_memory": [
    "Mehr Speicher gebraucht als die Grenze von {limit}: {what}.",
    "Laden Sie eine kleinere Fassung hoch, oder bitten Sie Ihren Betreiber, {setting} zu erhöhen."
  ],
  "crashed": [
    "Das Programm, das das Dokument liest, ist abgestürzt ({detail}).",
    "Versuchen Sie es noch einmal; geschieht es wieder, exportieren Sie das Dokument neu und laden Sie das hoch."
  ],
  "language_not_installed": [
    "Die Sprache {language} ist nicht installiert; es gibt: {installed}.",
    "Wählen Sie eine installierte Sprache, oder bitten Sie Ihren Betreiber, sie zu installieren."
  ],
  "worker_lost": [
    "Der Arbeiter ist bei diesem Teil {strikes}-mal verschwunden.",
    "Versuchen Sie es noch einmal; geschieht es wieder, liegt es wahrscheinlich an der Seite selbst."
  ],
  "result_missing": [
    "Ein gespeichertes Ergebnis ({name}) fehlt oder ist beschädigt.",
    "Versuchen Sie es noch einmal: das fehlende Stück wird neu berechnet."
  ],
  "parked_cut": [
    "Der Datensatz {record} ist zu groß, um zurückgelegt zu werden: {kept} seiner {length} Bytes wurden behalten.",
    "Erzeugen Sie ihn dort neu, woher er kam; was behalten wurde, zeigt, was er war."
  ],
  "slot_taken": [
    "Ein anderer Prozess hat den Platz {slot}.",
    "Geben Sie jedem Prozess einen eigenen (PAGESTREAM_SLOT), oder lassen Sie ihn leer: Dann wird einer vergeben."
  ],
  "snapshot_unusable": [
    "Ein Schnappschuss der Ereignisse kann nicht verwendet werden: {detail}.",
    "Nichts: Stattdessen werden alle Ereignisse gelesen."
  ],
  "result_unusable": [
    "Ein gespeichertes Ergebnis ({name}) ist für diese Version nicht lesbar.",
    "Laden Sie die Datei noch einmal hoch und erzwingen Sie die Verarbeitung; der Grund steht unter der Kennung des Dokuments im Protokoll des Dienstes progress."
  ],
  "no_image": ["Diese Seite ist Text und hat kein Bild.", "Fragen Sie nach ihrem Text: GET …/pages/N."],
  "source_missing": ["Die hochgeladene Datei ist nicht mehr im Speicher.", "Laden Sie sie noch einmal hoch."],
  "store_unavailable": ["Der Dateispeicher antwortet nicht: {detail}.", "Nichts: es wird von selbst wieder versucht."],
  "temporary_full": [
    "Der Ordner für temporäre Dateien ist voll.",
    "Bitten Sie Ihren Betreiber, Platz zu schaffen, und versuchen Sie es dann noch einmal.",
  ],
  "log_unavailable": ["Das Ereignisprotokoll antwortet nicht: {detail}.", "Versuchen Sie es in einigen Sekunden noch einmal."],
  "untrusted": [
    "{what} zeigt ein Zertifikat, dem nicht vertraut wird: {detail}.",
    "Nennen Sie in {setting} die Stelle (`ca=`, `tlsCAFile=`), die es unterschrieben hat, und den Rechner, für den es gilt.",
  ],
  "store_full": ["Der Dateispeicher ist voll.", "Bitten Sie Ihren Betreiber, Platz zu schaffen, und versuchen Sie es dann noch einmal."],
  "provider_unavailable": ["{provider} antwortet nicht: {detail}.", "Nichts: es wird von selbst wieder versucht."],
  "provider_refused": [
    "{provider} liest diese Seite nicht (Status {status}).",
    "Laden Sie die Seite in anderer Form hoch, oder fragen Sie Ihren Betreiber, was der Dienst liest."
  ],
  "port_in_use": [
    "{what} braucht Port {port}, und ein anderes Programm lauscht dort.",
    "Beenden Sie jenes Programm, oder setzen Sie {setting} auf einen freien Port (0 nimmt irgendeinen)."
  ],
  "already_running": [
    "Pagestream läuft schon auf dem Ordner {folder} (Prozess {pid}).",
    "Nehmen Sie jenes, beenden Sie es zuerst, oder setzen Sie PAGESTREAM_DATA auf einen anderen Ordner."
  ],
  "foreign_folder": [
    "Der Ordner {folder} enthält Dateien und war nie ein Datenordner von Pagestream; er wird nicht geleert.",
    "Setzen Sie PAGESTREAM_DATA auf einen anderen Ordner, oder leeren Sie ihn selbst."
  ],
  "program_missing": [
    "{what} ist nicht auf dieser Maschine.",
    "Installieren Sie es, oder das Python-Paket {package} (es kommt mit `pip install 'pagestream[stack]'`)."
  ],
  "program_unusable": [
    "{what} läuft hier nicht: {detail}.",
    "Installieren Sie, was darin genannt ist, oder eine andere Version, die dann im PATH gefunden wird."
  ],
  "did_not_start": ["{what} ist nicht gestartet: {detail}", "Sehen Sie in sein Protokoll im Datenordner, und starten Sie dann noch einmal."],
  "download_failed": ["{what} ließ sich nicht herunterladen: {detail}.", "Prüfen Sie die Verbindung, und starten Sie dann noch einmal."],
  "download_damaged": [
    "Was als {what} kam, ist nicht die Datei, mit der diese Version gemacht wurde.",
    "Starten Sie noch einmal; geschieht es wieder, verändert etwas zwischen Ihnen und dem Paketverzeichnis die Dateien."
  ],
  "rebuild_running": ["Ein anderer Neuaufbau ist am Werk.", "Warten Sie auf ihn; ein abgebrochener ist nach zehn Sekunden vergessen."],
  "rebuild_taken_over": [
    "Ein anderer Neuaufbau wurde hier begonnen und hat diesen übernommen.",
    "Warten Sie auf ihn: er macht weiter, wo dieser war.",
  ],
  "rebuild_differs": [
    "Was aus dem Log gebaut wurde, ist nicht dasselbe wie das, was Leser haben; sie behalten, was sie haben.",
    "Sehen Sie sich die genannten Zeilen an; `pagestream rebuild --force` schaltet trotzdem um."
  ],
  "rebuild_overtaken": [
    "Inzwischen ist eine andere Generation in Gebrauch, etwa weil die Datenbank gelöscht wurde.",
    "Führen Sie `pagestream rebuild` noch einmal aus."
  ],
  "no_older_generation": [
    "Es gibt keine ältere Generation, zu der man zurückgehen könnte.",
    "Führen Sie `pagestream rebuild` aus: es baut eine neue aus dem Log."
  ],
  "not_in_log": [
    "Im Log gibt es kein Dokument {document_id} mit der Version {version}.",
    "`pagestream show {document_id}` zeigt seinen Verlauf und seine Versionen."
  ],
  "not_parked": ["Es gibt keinen geparkten Eintrag {record}.", "Siehe `pagestream parked list`."],
  "not_running": [
    "Auf den Daten in {folder}/ läuft kein Pagestream.",
    "Starten Sie es mit `pagestream up`, oder nennen Sie seinen Broker mit PAGESTREAM_KAFKA."
  ],
  "no_keys": [
    "Es gibt keine API-Schlüssel, und Fremde könnten das Gateway auf {host} erreichen.",
    "Machen Sie einen mit `pagestream keys add`; oder lauschen Sie auf 127.0.0.1; oder setzen Sie, wo etwas anderes Fremde fernhält wie in einem Container, PAGESTREAM_GATEWAY_TRUST_NETWORK=true."
  ],
  "wrong_tenant": [
    "{tenant} ist kein Name für einen Mandanten.",
    "Nehmen Sie 1 bis 63 Kleinbuchstaben, Ziffern, - und _, mit einem Buchstaben oder einer Ziffer am Anfang."
  ],
  "no_such_key": ["Es gibt keinen gültigen Schlüssel {key}.", "Siehe `pagestream keys list`."],
  "internal": [
    "Bei uns ist etwas schiefgegangen; die Zeile im Protokoll ist {reference}.",
    "Versuchen Sie es noch einmal; geschieht es wieder, geben Sie Ihrem Betreiber diese Angabe."
  ],
};

// What the gateway alone refuses, as far as the page can meet it: code: [what happened, what the person can do]
export const REFUSALS = {
  "sign_in": [
    "Pagestream verlangt einen Schlüssel, und es kam keiner, der gilt.",
    "Geben Sie Ihren Schlüssel ein; Ihr Betreiber macht welche mit `pagestream keys add`."
  ],
  "not_allowed": [
    "Dieser Link gibt dazu kein Recht.",
    "Bitten Sie um einen anderen, wer ihn Ihnen gegeben hat, oder nehmen Sie einen Schlüssel."
  ],
  "document.not_found": ["Dieses Dokument gibt es nicht.", "Die Liste zeigt alle, die es gibt."],
  "job.not_found": ["Diesen Auftrag gibt es nicht.", "Prüfen Sie seine Nummer."],
  "token.not_found": ["Diesen Link gibt es nicht mehr.", "Er ist abgelaufen oder wurde zurückgezogen: nichts ist zu tun."],
  "page.not_found": [
    "Das Dokument hat {total} {total|Seite|Seiten}, keine Seite {page}.",
    "Wählen Sie eine Seite von 1 bis {total}."
  ],
  "version.not_found": [
    "Das Dokument hatte keine Version {version} oder ältere.",
    "Der Verlauf zeigt seine Versionen."
  ],
  "page_failed": [
    "Seite {page} war nicht lesbar.",
    "Versuchen Sie das Dokument noch einmal: nur was fehlt, wird wiederholt."
  ],
  "behind_proxy": [
    "Die Anfrage kam über einen Proxy (Kopfzeile {header}), und ohne Schlüssel dürfte jeder hinter ihm alles.",
    "Legen Sie einen Schlüssel an: pagestream keys add."
  ],
  "upload.too_slow": [
    "Der Upload kam eine halbe Minute lang mit weniger als {limit} Bytes in der Sekunde.",
    "Senden Sie ihn über eine bessere Verbindung noch einmal."
  ],
  "upload.took_too_long": [
    "Der Upload dauerte länger als {limit} Sekunden.",
    "Senden Sie ihn in mehreren Teilen: was angekommen ist, bleibt."
  ],
  "too_many_requests": [
    "Ein Schlüssel oder eine Adresse darf {limit} Anfragen in der Sekunde senden.",
    "Warten Sie eine Sekunde."
  ],
  "too_many_uploads": [
    "Alle {limit} Plätze, die ein Mandant zugleich für Uploads haben darf, sind belegt.",
    "Versuchen Sie es in einigen Sekunden noch einmal."
  ],
  "too_many_uploads_at_once": [
    "Ein Schlüssel oder eine Adresse darf {limit} {limit|Dokument|Dokumente} zugleich senden.",
    "Senden Sie sie nacheinander."
  ],
  "too_many_upload_bytes": [
    "Ein Schlüssel oder eine Adresse darf {limit} Bytes zugleich senden.",
    "Senden Sie die Dokumente nacheinander."
  ],
  "too_many_connections": [
    "Ein Schlüssel oder eine Adresse darf {limit} Live-Verbindungen haben.",
    "Schließen Sie Fenster, die Sie nicht brauchen."
  ],
  "too_many_subscriptions_in_all": [
    "Ein Schlüssel oder eine Adresse darf {limit} Dokumente verfolgen.",
    "Schließen Sie, was fertig ist, oder verfolgen Sie alle in der Liste."
  ],
  "too_many_subscriptions": [
    "Eine Verbindung trägt höchstens {limit} Dokumente.",
    "Schließen Sie, was fertig ist, oder verfolgen Sie alle in der Liste."
  ],
  "too_many_images": ["Es werden schon viele Seiten gezeichnet.", "Versuchen Sie es in einigen Sekunden noch einmal."],
  "quota_exceeded": [
    "Das Kontingent `{quota}` von {limit} ist aufgebraucht: {left} übrig.",
    "Warten Sie, bis es sich erneuert, oder bis Dokumente fertig sind, oder löschen Sie welche; oder bitten Sie Ihren Betreiber um mehr."
  ],
  "broker_unavailable": [
    "Das Ereignislog antwortet nicht; es ist ungewiss, ob dies festgehalten wurde.",
    "Versuchen Sie es noch einmal: es wird nur einmal festgehalten."
  ],
  "database_unavailable": ["Die Datenbank antwortet nicht.", "Versuchen Sie es in einigen Sekunden noch einmal."],
  "projection_unavailable": [
    "Die Übersicht wird gerade neu aufgebaut.",
    "Versuchen Sie es in einigen Sekunden noch einmal."
  ],
};
