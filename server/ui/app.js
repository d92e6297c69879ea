// app.js - shows which version of the server this is.

const answer = await fetch('version');
const { version } = await answer.json();
document.getElementById('version').textContent = version;
