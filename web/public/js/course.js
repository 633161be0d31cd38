// Shows one course of the catalogue.
import { $, listItem, showLoaded, showMessage } from "./portal.js";
import {
  LANGUAGES, artOf, callCatalogue, catalogueMessage, priceText, subjectName, textElement,
} from "./catalogue-api.js";
import { locale, t } from "./i18n.js";

// Dates without a time of day: of the calendar, not of a time zone.
const day = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" });
const dates = ({ starts, ends }) => day.formatRange(new Date(starts), new Date(ends));

function draw(course) {
  document.title = `${course.title} · Meridian School`;
  $("art").src = artOf(course.subject.id);
  $("title").textContent = course.title;
  $("title").lang = course.language;
  $("summary").textContent = course.summary;
  $("summary").lang = course.language;
  $("tags").replaceChildren(
    textElement("span", "tag", subjectName(course.subject)),
    textElement("span", "tag", LANGUAGES.get(course.language) ?? course.language, course.language),
    textElement("span", "quiet person", t("with {0}", course.teacher.name)),
  );
  $("terms").replaceChildren(...course.terms.map((term) => listItem(term.name, dates(term), "")));
  $("no-terms").hidden = course.terms.length > 0;
  $("prices").replaceChildren(...course.prices.map((price) => textElement("li", "", priceText(price))));
  $("no-prices").hidden = course.prices.length > 0;
  for (const id of ["terms-part", "offer"]) $(id).hidden = false;
}

async function show() {
  const id = new URLSearchParams(location.search).get("id") ?? "";
  const answer = await callCatalogue("GET", `/courses/${encodeURIComponent(id)}`);
  showLoaded("course");
  if (answer.ok) {
    draw(answer.data);
    return;
  }
  const isUnknown = answer.status === 404 || answer.data.code === "id_malformed";
  $("title").textContent = isUnknown && !answer.isAbsent ? t("Course not found") : t("Course");
  const text = answer.data.code === "id_malformed" ? t("No course has this address.") : catalogueMessage(answer);
  showMessage($("status"), text, "bad");
}

// Back to the search that led here.
if (document.referrer.startsWith(`${location.origin}/courses.html?`)) $("back").href = document.referrer;
show();
