// Replaces the courses of the home page by those of the catalogue, where it answers.
import { $ } from "./portal.js";
import { artOf, callCatalogue, courseLanguage, pageOf, subjectName, textElement } from "./catalogue-api.js";

const COUNT = 3;
// Subjects of which the school is fond, in the order of the page.
const SUBJECTS = ["time", "maps", "sky"];

function panel(course) {
  const item = document.createElement("li");
  item.className = "panel";
  const picture = document.createElement("img");
  Object.assign(picture, { className: "art", src: artOf(course.subject.id), alt: "", width: 320, height: 180 });
  const title = document.createElement("h3");
  const link = textElement("a", "", course.title, course.language);
  link.href = pageOf(course);
  title.append(link);
  const foot = textElement("p", "foot", "");
  foot.append(textElement("span", "tag", subjectName(course.subject)));
  item.append(picture, title, textElement("p", "", course.summary, course.language), foot);
  return item;
}

const pages = await Promise.all(SUBJECTS.map(
  (subject) => callCatalogue("GET", `/courses?language=${courseLanguage}&limit=1&subject=${subject}`),
));
const courses = pages.flatMap((it) => (it?.ok ? it.data.courses : []));
if (courses.length === COUNT) $("course-list").replaceChildren(...courses.map(panel));
